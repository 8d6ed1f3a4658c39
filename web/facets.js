// The filter chips: types, genres, decades, with counts from the answer.
import {el, patch, setText} from './dom.js';
import {TYPE_NAMES} from './hits.js';
import {isFilterable, TYPES} from './state.js';

const MAX_GENRES = 12;

const GROUPS = {type: 'Type', genre: 'Genre', decade: 'Decade'};

export class Facets {
  /** @param {function(string, (string|number))} onToggle Group and value. */
  constructor(root, onToggle) {
    this.root_ = root;
    this.onToggle_ = onToggle;
    this.query_ = null;  // of the choices below
    this.choices_ = {type: [], genre: [], decade: []};
  }

  render(state, facets) {
    const fresh = choicesOf(facets ?? {});
    for (const group of Object.keys(GROUPS)) {
      // An answer that is filtered by a group counts only what was chosen in
      // it; the choices before that are kept, so that one can change one's
      // mind.
      const keep = state[group] && state.query === this.query_;
      if (!keep) this.choices_[group] = fresh[group];
      addChosen(this.choices_[group], state[group]);
    }
    this.query_ = state.query;
    this.root_.hidden = false;
    patch(
        this.root_, Object.keys(GROUPS), (group) => group, createGroup,
        (node, group) => this.updateGroup_(node, group, state[group]));
  }

  updateGroup_(node, group, chosen) {
    const choices = this.choices_[group];
    node.hidden = choices.length === 0;
    patch(
        node.querySelector('.chips'), choices, (choice) => String(choice.value),
        (choice) => this.createChip_(group, choice.value),
        (item, choice) => updateChip(item.firstChild, choice, chosen));
  }

  createChip_(group, value) {
    const chip = el(
        'button', {class: 'chip', type: 'button'}, el('span'), ' ',
        el('span', {class: 'count'}));
    chip.addEventListener('click', () => this.onToggle_(group, value));
    return el('li', {}, chip);
  }
}

function createGroup(group) {
  const heading = `filter-${group}`;
  return el(
      'section', {'aria-labelledby': heading},
      el('h2', {id: heading}, GROUPS[group]), el('ul', {class: 'chips'}));
}

function updateChip(chip, choice, chosen) {
  setText(chip.firstChild, choice.label);
  setText(
      chip.lastChild,
      choice.count > 0 ? choice.count.toLocaleString('en') : '');
  chip.setAttribute('aria-pressed', choice.value === chosen);
  // Beside a chosen one, a count of 0 only says that it was not counted.
  chip.disabled = choice.count === 0 && !chosen;
}

/** @return {!Object<string, !Array<{value, label: string, count: number}>>} */
function choicesOf(facets) {
  return {
    type: typeChoices(facets.type ?? []),
    genre: genreChoices(facets.genre ?? []),
    decade: decadeChoices(facets.year ?? []),
  };
}

/** All types in fixed places, those without a match too: nothing jumps. */
function typeChoices(counts) {
  const byValue = new Map(counts.map(({value, count}) => [value, count]));
  return TYPES.map((type) => ({
                     value: type,
                     label: TYPE_NAMES[type].many,
                     count: byValue.get(type) ?? 0,
                   }));
}

function genreChoices(counts) {
  return counts.filter(({value}) => value && isFilterable(value))
      .slice(0, MAX_GENRES)
      .map(({value, count}) => ({value, label: value, count}));
}

/** Sums years into decades, the latest first. */
function decadeChoices(counts) {
  const sums = new Map();
  for (const {value, count} of counts) {
    const decade = Math.floor(Number(value) / 10) * 10;
    if (decade > 0) sums.set(decade, (sums.get(decade) ?? 0) + count);
  }
  return [...sums].sort((a, b) => b[0] - a[0])
      .map(([decade, count]) => (
               {value: decade, label: `${decade}s`, count}));
}

function addChosen(choices, value) {
  if (!value || choices.some((choice) => choice.value === value)) return;
  const label = typeof value === 'number' ? `${value}s` : value;
  choices.unshift({value, label, count: 0});
}
