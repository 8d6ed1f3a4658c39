// What became of the query's spelling: one line, whose place is always kept.
import {el, pieces} from './dom.js';
import {addressOf} from './state.js';

/** Fills the line's element; `answer` is null where there is no query. */
export function renderCorrection(root, state, answer) {
  root.hidden = !answer;
  const parts = partsOf(state, answer);
  const signature = JSON.stringify([parts, addressOf(state)]);
  if (root.dataset.shown === signature) return;  // a link may have the focus
  root.dataset.shown = signature;
  root.replaceChildren(...parts.map((part) => createPart(part, state)));
}

/** @return {string} The line as text; '' when there is nothing to say. */
export function correctionText(state, answer) {
  return partsOf(state, answer)
      .map(({before, text, after}) => `${before}${text}${after}`)
      .join('. ');
}

/**
 * Where `text`, which `spans` made of a query, differs from the query. A place
 * that cannot be told is left out.
 * @return {!Array<!Array<number>>} Ranges [begin, end), rising.
 */
export function mendedRanges(text, spans) {
  const ranges = [];
  let shift = 0;  // of what follows a span, from the query to the text
  let end = 0;
  for (const span of spans) {
    const expected = Math.max(span.begin + shift, end);
    const begin = text.startsWith(span.text, expected) ?
        expected :
        text.indexOf(span.text, end);
    shift += span.text.length - (span.end - span.begin);
    if (begin < 0 || !span.text) continue;
    end = begin + span.text.length;
    ranges.push([begin, end]);
  }
  return ranges;
}

function partsOf(state, answer) {
  const {outcome, text, spans = []} = answer?.correction ?? {};
  const meant = {text, ranges: text ? mendedRanges(text, spans) : []};
  if (outcome === 'showing_results_for') {
    return [
      {...meant, before: 'Showing results for ', after: ''},
      {
        text: state.query.trim(),
        ranges: [],
        before: 'Search instead for ',
        after: '',
        spell: 'off',
      },
    ];
  }
  if (outcome === 'did_you_mean') {
    return [{...meant, before: 'Did you mean ', after: '?', spell: ''}];
  }
  return [];
}

/** A part that says how to spell is a link to that search. */
function createPart({before, text, ranges, after, spell}, state) {
  const marked = el(
      'strong', {dir: 'auto'},
      ...pieces(text, ranges).map(
          (piece) => piece.isMarked ? el('em', {}, piece.text) : piece.text));
  if (spell === undefined) return el('span', {}, before, marked, after);
  const query = spell ? state.query : text;
  const link = el(
      'a', {
        href: addressOf({...state, query, spell}),
        'data-query': query,
        'aria-keyshortcuts': spell ? 'Shift+Enter' : null,
      },
      before, marked, after);
  return el('span', {}, link);
}
