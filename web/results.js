// Patches an answer into the page: summary, best match, sections, empty states.
import {renderCorrection} from './correction.js';
import {el, patch, setText} from './dom.js';
import {createHit, TYPE_NAMES, updateHit} from './hits.js';
import {hasFilter} from './state.js';

const MAX_OFFSET = 1000;  // the server's

const LAYOUTS = {
  track: 'rows',
  artist: 'cards',
  album: 'cards',
  show: 'tiles',
  episode: 'rows',
  playlist: 'tiles',
};

const byId = (id) => document.getElementById(id);

/** @return {number} Matches over all sections. */
export function numMatches(answer) {
  return answer.sections.reduce((sum, part) => sum + part.num_matches, 0);
}

/**
 * "12 ms: normalise 0.0, encode 4.1, ..."; '' without timings. Parts of a stage
 * (correct_model) are left out.
 */
export function timingText(timingUs) {
  if (!timingUs?.total) return '';
  const {total, ...stages} = timingUs;
  const ms = (us, digits) => (us / 1000).toFixed(digits);
  const list = Object.entries(stages)
                   .filter(([stage]) => !stage.includes('_'))
                   .map(([stage, us]) => `${stage} ${ms(us, 1)}`);
  return `${ms(total, total < 10_000 ? 1 : 0)} ms: ${list.join(', ')}`;
}

export function countText(count) {
  return `${count.toLocaleString('en')} ${count === 1 ? 'result' : 'results'}`;
}

/** @param {function(string)} onMore Called with the section's type. */
export function renderAnswer(state, answer, onMore) {
  const isHome = !state.query.trim() && !hasFilter(state);
  const isEmpty = answer.sections.length === 0;
  renderSummary(isHome, answer);
  renderCorrection(byId('correction'), state, isHome ? null : answer);
  byId('home').hidden = !isHome;
  renderNothing(isEmpty, state);
  renderBest(isHome || isEmpty ? null : answer.best);
  patch(
      byId('sections'), answer.sections, (section) => section.type,
      (section) => createSection(section.type, onMore),
      (node, section) => updateSection(node, section, isHome));
}

function renderSummary(isHome, answer) {
  const count = isHome ? '' : countText(numMatches(answer));
  const timing = timingText(answer.timing_us);
  const summary = byId('summary');
  if (!summary.firstChild) {
    summary.append(el('span', {class: 'count'}), el('span', {class: 'timing'}));
  }
  setText(summary.firstChild, count);
  setText(summary.lastChild, timing);
}

function renderNothing(isEmpty, state) {
  const node = byId('nothing');
  node.hidden = !isEmpty;
  if (!isEmpty) return;
  setText(
      node.querySelector('.lede'),
      state.query.trim() ? `Nothing found for “${state.query.trim()}”` :
                           'Nothing found');
  byId('unfilter').hidden = !hasFilter(state);
}

function renderBest(best) {
  const section = byId('best');
  section.hidden = !best;
  patch(
      section.querySelector('.best'), best ? [best] : [], () => 'best',
      createHit, updateHit);
}

function createSection(type, onMore) {
  const heading = `heading-${type}`;
  const more = el('button', {class: 'more', type: 'button'});
  more.addEventListener('click', () => onMore(type));
  return el(
      'section', {class: 'section', 'aria-labelledby': heading},
      el('h2', {id: heading}, el('span'), ' ', el('span', {class: 'count'})),
      el('ol', {class: LAYOUTS[type], 'data-type': type}), more);
}

function updateSection(node, section, isHome) {
  const name = TYPE_NAMES[section.type].many;
  const [title, count] = node.querySelectorAll('h2 > span');
  setText(title, isHome ? `Popular ${name.toLowerCase()}` : name);
  setText(count, isHome ? '' : section.num_matches.toLocaleString('en'));
  patch(
      node.querySelector('ol'), section.hits, (hit) => hit.id,
      () => el('li', {}, createHit()),
      (item, hit) => updateHit(item.firstChild, hit));
  const more = node.querySelector('.more');
  const num = section.hits.length;
  more.hidden = num >= section.num_matches || num > MAX_OFFSET;
  setText(more, `Show more ${name.toLowerCase()}`);
}

/** @return {?Element} The section of a type, if it is shown. */
export function sectionOf(type) {
  return byId('sections').querySelector(`[data-key="${type}"]`);
}
