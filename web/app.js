// Joins the page's parts: what is typed or clicked becomes a state, a state
// becomes a question, an answer becomes the page.
import {search, suggest} from './api.js';
import {Banner} from './banner.js';
import {correctionText} from './correction.js';
import {el} from './dom.js';
import {Facets} from './facets.js';
import {bindKeys} from './keyboard.js';
import {Lane} from './lane.js';
import {countText, numMatches, renderAnswer, sectionOf} from './results.js';
import {addressOf, filterOf, readState} from './state.js';
import {Suggestions} from './suggestions.js';

const SECTION_HITS = 6;  // one row of cards at full width
const TYPE_HITS = 24;    // when one type has the page to itself
const PAGE_HITS = 12;
// Readers get the number of results when typing pauses, not at every key.
const ANNOUNCE_AFTER_MS = 800;

const EXAMPLES = [
  'hey jude', 'beyonce halo', 'sad songs for rainy days', 'news podcasts',
  'music to run to', '90s rock', 'true crime',
];

const byId = (id) => document.getElementById(id);
const input = byId('query');
const results = byId('results');

let state = readState(location.search);
let shown = null;      // {state, answer} on the page
let isTyping = false;  // the history's top entry is what is being typed
let announceTimer = 0;

const answers = new Lane(
    (asked, signal) => search(paramsOf(asked), signal), showAnswer,
    (asked, error) => {
      results.setAttribute('aria-busy', 'false');
      banner.showError(error);
    });
const pages = new Lane(
    ({base, type}, signal) => search(pageParamsOf(base, type), signal),
    appendPage, (asked, error) => {
      busyMore(asked.type, false);
      banner.showError(error);
    });
const hints = new Lane(
    (query, signal) => suggest(query, signal),
    (query, answer) => suggestions.show(input.value ? answer.suggestions : []),
    () => suggestions.show([]));  // the search itself reports what is wrong

const banner = new Banner(byId('banner'), ask);
const facets = new Facets(byId('filters'), toggle);
const suggestions = new Suggestions(
    input, byId('suggestions'), (text) => go({...state, query: text, spell: ''}));

function paramsOf(asked) {
  return {
    q: asked.query,
    filter: filterOf(asked),
    limit: asked.type ? TYPE_HITS : SECTION_HITS,
    facets: 'true',
    spell: asked.spell,
  };
}

function pageParamsOf({state, answer}, type) {
  const section = answer.sections.find((part) => part.type === type);
  return {
    q: state.query,
    filter: filterOf(state),
    types: type,
    limit: PAGE_HITS,
    offset: section.hits.length,
    spell: state.spell,
  };
}

/** Asks for the current state; the old results stay until the answer. */
function ask() {
  banner.stopRetrying();
  pages.cancel();
  results.setAttribute('aria-busy', 'true');
  results.toggleAttribute('data-stale', true);
  answers.ask(state);
}

function showAnswer(asked, answer) {
  banner.hide();
  shown = {state: asked, answer};
  renderAnswer(asked, answer, more);
  facets.render(asked, answer.facets);
  const isCurrent = asked === state;
  results.setAttribute('aria-busy', !isCurrent);
  results.toggleAttribute('data-stale', !isCurrent);
  if (!isCurrent) return;
  const news = [correctionText(asked, answer), countText(numMatches(answer))];
  announceLater(news.filter(Boolean).join('. '));
}

function announceLater(text) {
  clearTimeout(announceTimer);
  announceTimer = setTimeout(() => {
    byId('announcer').textContent = text;
  }, ANNOUNCE_AFTER_MS);
}

/** Shows more of one section. */
function more(type) {
  if (shown.state !== state) return;  // the list is about to change
  busyMore(type, true);
  pages.ask({base: shown, type});
}

function appendPage({base, type}, page) {
  busyMore(type, false);
  banner.hide();
  if (base !== shown) return;
  const section = base.answer.sections.find((part) => part.type === type);
  const known = new Set(section.hits.map((hit) => hit.id));
  const hits = page.sections.find((part) => part.type === type)?.hits ?? [];
  const added = hits.filter((hit) => !known.has(hit.id));
  section.hits.push(...added);
  if (added.length === 0) section.num_matches = section.hits.length;
  renderAnswer(base.state, base.answer, more);
  const items = sectionOf(type).querySelectorAll('li');
  items[known.size]?.firstChild.focus();
  announceLater(`${added.length} more`);
}

function busyMore(type, isBusy) {
  const button = sectionOf(type)?.querySelector('.more');
  if (button) button.disabled = isBusy;
}

/** A finished choice: it gets an entry in the history. */
function go(next) {
  setState(next, isTyping ? 'replaceState' : 'pushState');
  isTyping = false;
  input.value = next.query;
  byId('clear').hidden = !next.query;
  window.scrollTo(0, 0);
}

/** A key: all keys up to the next choice share one entry. */
function typed(query) {
  setState({...state, query, spell: ''}, isTyping ? 'replaceState' : 'pushState');
  isTyping = true;
  byId('clear').hidden = !query;
}

function setState(next, how) {
  const address = addressOf(next);
  const isSame = address === addressOf(state);
  state = next;
  showTitle();
  if (!isSame) history[how](null, '', address);
  ask();
}

function showTitle() {
  const query = state.query.trim();
  document.title = query ? `${query} · Quaver` : 'Quaver';
}

function toggle(group, value) {
  const none = group === 'decade' ? 0 : '';
  isTyping = false;
  go({...state, [group]: state[group] === value ? none : value});
}

function readInput() {
  const query = input.value;
  typed(query);
  if (query.trim()) {
    suggestions.want();
    hints.ask(query);
  } else {
    hints.cancel();
    suggestions.show([]);
  }
}

function submit() {
  hints.cancel();
  suggestions.close();
  go({...state, query: input.value});
}

/** The query is meant as it stands: whatever was corrected is not. */
function submitAsTyped() {
  hints.cancel();
  suggestions.close();
  go({...state, query: input.value, spell: 'off'});
}

function clear() {
  hints.cancel();
  suggestions.show([]);
  suggestions.close();
  go({...state, query: '', spell: ''});
  input.focus();
}

/** Where there is no pointer that hovers, focus would raise a keyboard. */
function focusInput() {
  if (matchMedia('(hover: hover)').matches) input.focus({preventScroll: true});
}

/** Links to searches stay on the page, unless a new tab is wanted. */
function followLink(event) {
  const link = event.target.closest('a[data-query]');
  const isPlain = event.button === 0 && !event.ctrlKey && !event.metaKey &&
      !event.shiftKey && !event.altKey;
  if (!link || !isPlain) return;
  event.preventDefault();
  isTyping = false;
  go(readState(new URL(link.href).search));
  focusInput();
}

function bindEvents() {
  input.addEventListener('input', (event) => {
    // Half-composed text (Japanese, Chinese, Korean) is nobody's query.
    if (!event.isComposing) readInput();
  });
  input.addEventListener('compositionend', readInput);
  input.addEventListener('blur', () => suggestions.close());
  byId('search').addEventListener('submit', (event) => {
    event.preventDefault();
    submit();
  });
  byId('clear').addEventListener('click', clear);
  byId('unfilter').addEventListener(
      'click',
      () => go({...readState(''), query: state.query, spell: state.spell}));
  document.addEventListener('click', followLink);
  window.addEventListener('popstate', () => {
    state = readState(location.search);
    isTyping = false;
    hints.cancel();
    suggestions.close();
    showState();
  });
  bindKeys(input, suggestions, {submit, submitAsTyped, clear});
}

function showState() {
  input.value = state.query;
  byId('clear').hidden = !state.query;
  showTitle();
  ask();
}

function showExamples() {
  byId('examples').append(...EXAMPLES.map((query) => {
    const address = addressOf({query});
    return el(
        'li', {},
        el('a', {class: 'chip', href: address, 'data-query': query}, query));
  }));
}

showExamples();
bindEvents();
showState();
focusInput();
