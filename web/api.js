// The two questions the page asks the server, and what can go wrong with them.

// Far above any healthy answer (milliseconds): only a stalled server meets it.
const TIMEOUT_MS = 10_000;

/** What a person is told when a request failed. */
export class ApiError extends Error {
  /**
   * @param {string} message A sentence without its full stop.
   * @param {number} status The HTTP status; 0 when there was no answer.
   * @param {number=} retryAfterMs The server's wish; 0 when it has none.
   */
  constructor(message, status, retryAfterMs = 0) {
    super(message);
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }

  /** Whether the same request can succeed later. */
  get isRetriable() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** GET /v1/search. Parameters other than q are left out where empty. */
export async function search(params, signal) {
  const answer = await getJson('v1/search', params, signal);
  if (!Array.isArray(answer.sections)) {
    throw new ApiError('The answer is not one to a search', 0);
  }
  return answer;
}

/** GET /v1/suggest. */
export async function suggest(query, signal) {
  return getJson('v1/suggest', {q: query}, signal);
}

async function getJson(path, params, signal) {
  const set = Object.entries(params).filter(
      ([name, value]) => name === 'q' || value);
  const address = `${path}?${new URLSearchParams(set)}`;
  const {response, text} = await get(address, signal);
  const body = parse(text);
  if (response.ok && body) return body;
  const seconds = Number(response.headers.get('Retry-After'));
  throw new ApiError(
      messageOf(response, body), response.ok ? 0 : response.status,
      seconds > 0 ? seconds * 1000 : 0);
}

async function get(address, signal) {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  try {
    const response = await fetch(address, {
      headers: {Accept: 'application/json'},
      signal: AbortSignal.any([signal, timeout]),
    });
    return {response, text: await response.text()};
  } catch (error) {
    if (signal.aborted) throw error;
    const message = timeout.aborted ? 'The server takes too long to answer' :
                                      'The server cannot be reached';
    throw new ApiError(message, 0);
  }
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function messageOf(response, body) {
  if (response.ok) return 'The answer is not JSON';
  const message = body?.error ?? `status ${response.status}`;
  return response.status < 500 ? `The server refused this: ${message}` :
                                 `The server failed: ${message}`;
}
