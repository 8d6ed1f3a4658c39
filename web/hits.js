// One hit as a link. All layouts share its parts; style.css picks and places.
import {paint} from './art.js';
import {el, setText} from './dom.js';
import {addressOf} from './state.js';

export const TYPE_NAMES = {
  track: {one: 'Track', many: 'Tracks'},
  artist: {one: 'Artist', many: 'Artists'},
  album: {one: 'Album', many: 'Albums'},
  show: {one: 'Show', many: 'Shows'},
  episode: {one: 'Episode', many: 'Episodes'},
  playlist: {one: 'Playlist', many: 'Playlists'},
};

const PARTS = ['kind', 'title', 'by', 'blurb'];
const COLUMNS = ['album', 'genre', 'year'];

/** @return {string} What to search for to get this hit on top. */
export function queryFor(hit) {
  const named = hit.type === 'track' || hit.type === 'album';
  return named && hit.artist ? `${hit.title} ${hit.artist}` : hit.title;
}

export function createHit() {
  const spans = (names) => names.map((name) => el('span', {class: name}));
  return el(
      'a', {class: 'hit'}, el('span', {class: 'art', 'aria-hidden': 'true'}),
      el('span', {class: 'about'}, ...spans(PARTS)), ...spans(COLUMNS));
}

export function updateHit(link, hit) {
  const part = (name) => link.querySelector(`.${name}`);
  const marks = hit.highlights ?? {};
  link.href = addressOf({query: queryFor(hit)});
  link.dataset.type = hit.type;
  link.dataset.query = queryFor(hit);
  paint(part('art'), hit.id, hit.title);
  setText(part('kind'), TYPE_NAMES[hit.type].one);
  setText(part('title'), hit.title, marks.title);
  setText(part('by'), ...byline(hit, marks));
  setText(part('blurb'), hit.description ?? '');
  setText(part('album'), hit.album ?? '', marks.album);
  setText(part('genre'), hit.genre ?? '');
  setText(part('year'), hit.year ? String(hit.year) : '');
}

/** Who made it; an episode says its show instead. */
function byline(hit, marks) {
  if (hit.type === 'episode' && hit.album) return [hit.album, marks.album];
  return [hit.artist ?? '', marks.artist];
}
