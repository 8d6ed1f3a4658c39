// What the page is asked to show, and its form in the address bar and API.

const MAX_QUERY = 512;  // UTF-16 units, as the input's maxlength

export const TYPES = [
  'track', 'artist', 'album', 'show', 'episode', 'playlist',
];

/**
 * @typedef {{query: string, type: string, genre: string, decade: number,
 *     spell: string}} State
 * '' and 0 stand for "any"; decade is its first year; spell is 'off' where the
 * query is meant as it stands.
 */

/**
 * Reads "?q=...&type=...&genre=...&decade=...&spell=off"; what makes no sense is
 * ignored, since people edit and cut addresses.
 * @return {!State}
 */
export function readState(search) {
  const params = new URLSearchParams(search);
  const type = params.get('type') ?? '';
  const genre = params.get('genre') ?? '';
  const decade = params.get('decade') ?? '';
  return {
    query: (params.get('q') ?? '').slice(0, MAX_QUERY),
    type: TYPES.includes(type) ? type : '',
    genre: isFilterable(genre) ? genre : '',
    decade: /^\d{3}0$/.test(decade) ? Number(decade) : 0,
    spell: params.get('spell') === 'off' ? 'off' : '',
  };
}

/** @return {string} A relative address that readState understands. */
export function addressOf(state) {
  const params = new URLSearchParams();
  if (state.query) params.set('q', state.query);
  if (state.type) params.set('type', state.type);
  if (state.genre) params.set('genre', state.genre);
  if (state.decade) params.set('decade', state.decade);
  if (state.spell) params.set('spell', state.spell);
  const search = params.toString();
  return search ? `?${search}` : '.';
}

/** @return {string} The API's filter parameter; '' accepts everything. */
export function filterOf(state) {
  const conditions = [];
  if (state.type) conditions.push(`type:${state.type}`);
  if (state.genre) conditions.push(`genre:${state.genre}`);
  if (state.decade) {
    conditions.push(`year:${state.decade}..${state.decade + 9}`);
  }
  return conditions.join(';');
}

export function hasFilter(state) {
  return Boolean(state.type || state.genre || state.decade);
}

/** The filter language has no escape for its two separators. */
export function isFilterable(genre) {
  return !/[;|]/.test(genre);
}
