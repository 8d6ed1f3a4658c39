// The list under the search bar: a combobox whose focus stays in the input.
import {paint} from './art.js';
import {el, patch, setText} from './dom.js';
import {TYPE_NAMES} from './hits.js';

export class Suggestions {
  /** @param {function(string)} onPick Called with the suggestion's text. */
  constructor(input, list, onPick) {
    this.input_ = input;
    this.list_ = list;
    this.onPick_ = onPick;
    this.items_ = [];
    this.active_ = -1;      // index of the highlighted item; -1 for none
    this.isWanted_ = false;  // typing wants the list; Enter and Esc do not
    // Before click, the input would lose its focus and close the list.
    list.addEventListener('mousedown', (event) => event.preventDefault());
    list.addEventListener('click', (event) => {
      const option = event.target.closest('[role=option]');
      if (option) this.pick_([...list.children].indexOf(option));
    });
  }

  get isOpen() {
    return !this.list_.hidden;
  }

  /** What the person typed wants suggestions: the next answer may open. */
  want() {
    this.isWanted_ = true;
  }

  show(items) {
    const activeId = this.items_[this.active_]?.id;
    this.items_ = items;
    patch(
        this.list_, items, (item) => item.id, createOption, updateOption);
    this.highlight_(items.findIndex((item) => item.id === activeId));
    this.setOpen_(
        this.isWanted_ && items.length > 0 &&
        document.activeElement === this.input_);
  }

  /** Opens the list that was closed, where there is one. */
  reopen() {
    this.isWanted_ = true;
    this.setOpen_(this.items_.length > 0);
  }

  close() {
    this.isWanted_ = false;
    this.highlight_(-1);
    this.setOpen_(false);
  }

  /** Moves by one; past either end no item is highlighted, then around. */
  move(step) {
    const places = this.items_.length + 1;  // the input is one of them
    this.highlight_((this.active_ + 1 + step + places) % places - 1);
  }

  /** @return {boolean} Whether an item was highlighted and is now picked. */
  pickActive() {
    if (!this.isOpen || this.active_ < 0) return false;
    this.pick_(this.active_);
    return true;
  }

  pick_(index) {
    const {text} = this.items_[index];
    this.close();
    this.onPick_(text);
  }

  highlight_(index) {
    this.active_ = index;
    [...this.list_.children].forEach((option, i) => {
      option.setAttribute('aria-selected', i === index);
      if (i === index) option.scrollIntoView({block: 'nearest'});
    });
    if (index < 0) {
      this.input_.removeAttribute('aria-activedescendant');
    } else {
      this.input_.setAttribute(
          'aria-activedescendant', this.list_.children[index].id);
    }
  }

  setOpen_(isOpen) {
    this.list_.hidden = !isOpen;
    this.input_.setAttribute('aria-expanded', isOpen);
  }
}

function createOption() {
  return el(
      'li', {role: 'option'}, el('span', {class: 'art', 'aria-hidden': 'true'}),
      el('span', {class: 'about'}, el('span', {class: 'title'}), ' ',
         el('span', {class: 'by'})));
}

function updateOption(option, item, index) {
  const type = TYPE_NAMES[item.type].one;
  const kind = item.kind === 'related' ? `Related ${type.toLowerCase()}` : type;
  option.id = `suggestion-${index}`;
  option.dataset.type = item.type;
  paint(option.querySelector('.art'), item.id, item.title);
  setText(option.querySelector('.title'), item.title, item.highlights?.title);
  setText(
      option.querySelector('.by'),
      item.artist ? `${kind} · ${item.artist}` : kind);
}
