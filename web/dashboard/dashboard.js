// Reads /metrics once a second and shows what became of the models.

import {Reading, quantile} from './exposition.js';

const WINDOW = 10;    // seconds that rates and quantiles are of
const HISTORY = 120;  // points of a line

const SVG = 'http://www.w3.org/2000/svg';
const readings = [];  // the last WINDOW + 1
const lines = new Map();  // model and version -> requests/s, newest last
const rows = new Map();

const byId = (id) => document.getElementById(id);

function show(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function format(value, digits = 1) {
  if (!Number.isFinite(value)) return '–';
  return value.toLocaleString('en', {maximumFractionDigits: digits});
}

/** What grew between the oldest and the newest reading, a second. */
function rate(name, labels = {}) {
  const [first, last] = [readings[0], readings.at(-1)];
  return (last.sum(name, labels) - first.sum(name, labels)) /
      (last.seconds - first.seconds);
}

function quantileMs(labels, q) {
  const name = 'quaver_inference_request_seconds';
  return 1000 * quantile(readings[0].buckets(name, labels),
                         readings.at(-1).buckets(name, labels), q);
}

function closedBy(labels) {
  const name = 'quaver_batch_close_total';
  const [first, last] = [readings[0], readings.at(-1)];
  const counts = last.all(name)
      .filter((one) => one.labels.model === labels.model &&
                       one.labels.version === labels.version)
      .map(({labels: own, value}) =>
           [own.reason, value - first.sum(name, own)])
      .filter(([, count]) => count > 0)
      .sort((a, b) => b[1] - a[1]);
  const all = counts.reduce((sum, [, count]) => sum + count, 0);
  // A line breaks between reasons alone.
  return counts.slice(0, 3).map(([reason, count]) =>
      `${reason} ${Math.round(100 * count / all)} %`.replace(/[_ ]/g, '\u00a0'))
      .join(', ');
}

function makeRow() {
  const row = document.createElement('tr');
  const head = document.createElement('th');
  head.scope = 'row';
  row.append(head);
  for (let i = 0; i < 12; ++i) row.append(document.createElement('td'));
  for (const i of [2, 4, 5, 6, 7, 8, 9, 10, 11]) {
    row.cells[i].className = 'number';
  }
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', `0 0 ${HISTORY - 1} 28`);
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('aria-hidden', 'true');
  svg.append(document.createElementNS(SVG, 'polyline'));
  row.cells[3].append(svg);
  return row;
}

function drawLine(row, points) {
  const top = Math.max(1, ...points);
  row.querySelector('polyline').setAttribute('points', points.map((value, i) =>
      `${HISTORY - points.length + i},${27 - 26 * value / top}`).join(' '));
}

function showModel(labels) {
  const key = `${labels.model}\n${labels.version}`;
  let row = rows.get(key);
  if (!row) {
    row = makeRow();
    rows.set(key, row);
    byId('models').append(row);
  }
  const requests = rate('nv_inference_request_success', labels);
  const points = lines.get(key) ?? [];
  lines.set(key, points);
  points.push(requests);
  if (points.length > HISTORY) points.shift();
  drawLine(row, points);
  const done = rate('nv_inference_count', labels);
  const batches = rate('nv_inference_exec_count', labels);
  const queue = rate('nv_inference_queue_duration_us', labels);
  const last = readings.at(-1);
  const failed = rate('nv_inference_request_failure', labels);
  const texts = [
    labels.model, labels.version, format(requests), null,
    format(quantileMs(labels, 0.5), 2), format(quantileMs(labels, 0.9), 2),
    format(quantileMs(labels, 0.99), 2), format(queue / requests / 1000, 2),
    format(done / batches), format(last.sum('quaver_instances', labels), 0),
    format(last.sum('nv_inference_pending_request_count', labels), 0),
    format(failed), closedBy(labels),
  ];
  texts.forEach((text, i) => {
    if (text !== null) show(row.cells[i], text);
  });
  row.cells[11].classList.toggle('bad', failed > 0);
}

function showAll() {
  const last = readings.at(-1);
  const models = last.all('nv_inference_request_success')
      .map(({labels: {model, version}}) => ({model, version}))
      .sort((a, b) => a.model < b.model ? -1 : 1);
  for (const labels of models) showModel(labels);
  const known = new Set(models.map((one) => `${one.model}\n${one.version}`));
  for (const [key, row] of rows) {
    if (known.has(key)) continue;
    row.remove();
    rows.delete(key);
    lines.delete(key);
  }
  byId('nothing').hidden = models.length > 0;
  show(byId('rate'), format(rate('nv_inference_request_success')));
  show(byId('searches'), format(
      rate('quaver_http_requests_total', {route: '/v1/search'})));
  const failures = rate('nv_inference_request_failure');
  show(byId('failures'), format(failures));
  byId('failures').classList.toggle('bad', failures > 0);
  show(byId('pending'),
       format(last.sum('nv_inference_pending_request_count'), 0));
  show(byId('memory'),
       format(last.sum('process_resident_memory_bytes') / 2 ** 20, 0));
  show(byId('cpu'), format(rate('process_cpu_seconds_total'), 2));
}

function showState(text, isBad) {
  show(byId('state'), text);
  byId('state').classList.toggle('bad', isBad);
}

async function read() {
  const timeout = AbortSignal.timeout(5000);
  const [metrics, ready] = await Promise.all([
    fetch('metrics', {signal: timeout}), fetch('health/ready', {signal: timeout}),
  ]);
  if (!metrics.ok) throw new Error(`status ${metrics.status}`);
  readings.push(new Reading(await metrics.text(), performance.now() / 1000));
  if (readings.length > WINDOW + 1) readings.shift();
  showState(ready.ok ? 'ready' : (await ready.json()).error, !ready.ok);
  if (readings.length > 1) showAll();
}

async function loop() {
  while (true) {
    try {
      await read();
    } catch (error) {
      readings.length = 0;  // counters may begin anew
      showState(`no answer: ${error.message}`, true);
    }
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

loop();
