// Builds elements and patches lists in place. Data becomes text, never markup.

/**
 * el('p', {class: 'note', hidden: true}, 'text', child). A property that is
 * false or null is left out; true gives an empty attribute.
 */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value == null) continue;
    node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children);
  return node;
}

/**
 * Makes parent's children show the items, in order. The child of a key that
 * stays is kept and updated, so that nothing flickers and no focus is lost.
 * @param {function(T): string} keyOf
 * @param {function(T): !Element} create
 * @param {function(!Element, T, number)} update Also called on new children.
 */
export function patch(parent, items, keyOf, create, update) {
  const old = new Map();
  for (const child of parent.children) old.set(child.dataset.key, child);
  const wanted = items.map((item, index) => {
    const key = keyOf(item);
    const child = old.get(key) ?? create(item);
    old.delete(key);
    child.dataset.key = key;
    update(child, item, index);
    return child;
  });
  const kept = new Set(wanted);
  for (const child of [...parent.children]) {
    if (!kept.has(child)) child.remove();
  }
  wanted.forEach((child, index) => {
    const place = parent.children[index];
    if (place !== child) parent.insertBefore(child, place ?? null);
  });
}

const shown = new WeakMap();  // node -> what setText last put there

/** Shows text with the ranges marked; touches nothing that is there already. */
export function setText(node, text, ranges = []) {
  const signature = JSON.stringify([text, ranges]);
  if (shown.get(node) === signature) return;
  shown.set(node, signature);
  node.replaceChildren(...pieces(text, ranges).map(
      (piece) => piece.isMarked ? el('mark', {}, piece.text) : piece.text));
}

/**
 * Cuts text at ranges [begin, end) of UTF-16 units. Ranges may overlap or reach
 * outside of the text.
 * @return {!Array<{text: string, isMarked: boolean}>} No piece is empty.
 */
export function pieces(text, ranges) {
  const sorted = [...ranges].sort((a, b) => a[0] - b[0]);
  const result = [];
  let end = 0;
  const push = (to, isMarked) => {
    if (to > end) result.push({text: text.slice(end, to), isMarked});
    end = Math.max(end, to);
  };
  for (const range of sorted) {
    push(Math.min(range[0], text.length), false);
    push(Math.min(range[1], text.length), true);
  }
  push(text.length, false);
  return result;
}
