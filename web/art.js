// Cover art for what has no picture: a gradient and a letter, fixed by the id.
import {setText} from './dom.js';

/** FNV-1a over UTF-16 units: cheap, and near ids get far colours. */
export function hash(text) {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; ++i) {
    value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  }
  return value >>> 0;
}

/** @return {string} The first letter or digit, else the first character. */
export function initial(title) {
  const match = title.match(/[\p{L}\p{N}]/u) ?? title.match(/./u);
  return match ? match[0].toLocaleUpperCase() : '';
}

/** Paints an .art element; the gradient itself is in style.css. */
export function paint(node, id, title) {
  const bits = hash(id);
  const hue = bits % 360;
  // The second hue stays within 30 to 119 degrees of the first: related, not
  // clashing.
  const secondHue = hue + 30 + (bits >>> 9) % 90;
  node.style.setProperty('--hue', hue);
  node.style.setProperty('--second-hue', secondHue % 360);
  node.style.setProperty('--angle', `${(bits >>> 16) % 360}deg`);
  setText(node, initial(title));
}
