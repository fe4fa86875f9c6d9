'use strict';
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const state = () => new URLSearchParams(location.search);

  /** What is chosen lives in the address, so that a link and a reload show the same. */
  const keep = (names, chosen) => {
    const kept = state();
    names.forEach((name) => kept.delete(name));
    chosen.forEach(([name, value]) => value && kept.append(name, value));
    const query = kept.toString();
    history.replaceState(null, '', (query ? '?' + query : location.pathname) + location.hash);
  };

  const filters = document.getElementById('filters');
  const rows = all('[data-row]').map((row) => ({ row, text: row.textContent.toLowerCase(), shown: true }));

  const filter = () => {
    const chosen = [...new FormData(filters)].filter(([, value]) => value);
    const wanted = new Map();
    chosen.forEach(([name, value]) => wanted.set(name, [...(wanted.get(name) || []), value]));
    const text = (wanted.get('q') || [''])[0].trim().toLowerCase();
    wanted.delete('q');
    rows.forEach((entry) => {
      const { row } = entry;
      const matches = ([name, values]) => !(name in row.dataset) || values.some((value) => row.dataset[name].split(' ').includes(value));
      entry.shown = entry.text.includes(text) && [...wanted].every(matches);
      row.hidden = !entry.shown;
    });
    filters.querySelector('output').value = rows.filter((entry) => entry.shown).length + ' of ' + rows.length + ' rows';
    matrix();
    return chosen;
  };

  if (filters) {
    const names = [...new Set([...filters.elements].map((field) => field.name).filter(Boolean))];
    const given = state();
    [...filters.elements].forEach((field) => {
      if (field.type === 'checkbox') field.checked = given.getAll(field.name).includes(field.value);
      else if (field.name && given.has(field.name)) field.value = given.get(field.name);
    });
    filters.hidden = false;
    const changed = () => keep(names, filter());
    filters.addEventListener('input', changed);
    filters.addEventListener('submit', (event) => event.preventDefault());
    filters.addEventListener('reset', (event) => {
      event.preventDefault();
      [...filters.elements].forEach((field) => { if (field.type === 'checkbox') field.checked = false; else if (field.name) field.value = ''; });
      changed();
    });
    document.addEventListener('click', (event) => {
      const link = event.target.closest('a[href^="?clause="]');
      if (!link) return;
      event.preventDefault();
      filters.elements.clause.value = new URLSearchParams(link.search).get('clause');
      changed();
      const table = document.getElementById('scenario-rows');
      table.scrollIntoView();
      table.parentElement.focus({ preventScroll: true });
    });
    filter();
  }

  /** Clauses by scenarios, of those rows of the two tables that are shown. */
  function matrix() {
    const figure = document.getElementById('matrix');
    if (!figure) return;
    const shown = (table) => rows.filter((entry) => entry.shown && entry.row.closest('table').id === table).map((entry) => entry.row);
    const clauses = shown('clause-rows'), scenarios = shown('scenario-rows');
    const place = new Map(clauses.map((row, at) => [row.dataset.clause, at]));
    const height = Math.min(22, Math.max(5, Math.round(480 / Math.max(1, clauses.length))));
    const gap = scenarios.length > 400 ? 0 : 0.15;
    const paths = { pass: '', skipped: '', unknown: '', fail: '' };
    scenarios.forEach((row, x) => row.dataset.clause.split(' ').forEach((clause) => {
      const y = place.get(clause);
      if (y !== undefined) paths[row.dataset.verdict] += 'M' + x + ' ' + (y + 0.08).toFixed(2) + 'h' + (1 - gap) + 'v.84h-' + (1 - gap) + 'z';
    }));
    const svg = figure.querySelector('svg');
    const make = (name, attributes, parent) => {
      const made = document.createElementNS('http://www.w3.org/2000/svg', name);
      Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
      return parent.appendChild(made);
    };
    svg.replaceChildren();
    svg.setAttribute('height', height * Math.max(1, clauses.length));
    const plot = make('svg', { width: '100%', height: '100%', viewBox: '0 0 ' + Math.max(scenarios.length, 1) + ' ' + Math.max(clauses.length, 1), preserveAspectRatio: 'none' }, svg);
    let section = '', from = 0, under = '', odd = false, lowest = 0;
    clauses.forEach((row, at) => {
      const own = row.dataset.clause.split('-')[0];
      if (own === section) return;
      if (odd) under += 'M0 ' + from + 'H' + scenarios.length + 'V' + at + 'H0z';
      [section, from, odd] = [own, at, !odd];
      lowest = Math.max(lowest + 12, height * at + Math.max(9, height * 0.7));
      make('text', { class: 'y', x: -8, y: lowest }, svg).textContent = own;
    });
    if (odd) under += 'M0 ' + from + 'H' + scenarios.length + 'V' + clauses.length + 'H0z';
    make('path', { class: 'under', d: under }, plot);
    Object.entries(paths).forEach(([verdict, d]) => d && make('path', { class: verdict, d }, plot));
    figure.hidden = !scenarios.length || !clauses.length;
    svg.onpointermove = (event) => {
      const box = svg.getBoundingClientRect();
      const at = (share, of) => of[Math.floor(share * of.length)];
      const clause = at((event.clientY - box.top) / box.height, clauses), scenario = at((event.clientX - box.left) / box.width, scenarios);
      figure.querySelector('.axis').textContent = clause && scenario
        ? clause.dataset.clause + ' × ' + scenario.querySelector('bdi').textContent + (scenario.dataset.clause.split(' ').includes(clause.dataset.clause) ? ': ' + scenario.dataset.verdict : '') : '\u00a0';
    };
  }

  /** The pictures of seconds share one stretch of time. */
  const zoomable = () => all('.chart[data-span]');
  const span = () => Number(zoomable()[0].dataset.span);
  const form = () => document.getElementById('zoom');
  let stretch = null;

  const seconds = (at) => (at >= 120 && at % 60 === 0 ? at / 60 + ' min' : (at % 1 ? at.toFixed(1) : at) + ' s');

  function zoom(from, to) {
    const most = span();
    to = Math.min(most, Math.max(to, Math.min(2, most)));
    from = Math.max(0, Math.min(from, to - Math.min(2, most)));
    stretch = from > 0 || to < most ? [from, to] : null;
    const share = (at) => ((at / most - from / most) / ((to - from) / most)) * 100;
    const least = (to - from) / 6, decade = 10 ** Math.floor(Math.log10(least));
    const step = [1, 2, 5, 10].map((round) => round * decade).find((round) => round >= least);
    zoomable().forEach((chart) => {
      chart.querySelector('.plot').setAttribute('viewBox', [from / most * 10000, 0, (to - from) / most * 10000, 1000].join(' '));
      all('.band', chart).forEach((band) => {
        const start = share(band.dataset.from / 100 * most), end = share((Number(band.dataset.from) + Number(band.dataset.width)) / 100 * most);
        const [left, right] = [Math.max(0, start), Math.min(100, end)];
        band.setAttribute('x', left + '%');
        band.setAttribute('width', Math.max(0, right - left) + '%');
      });
      const ticks = chart.querySelector('.ticks');
      ticks.replaceChildren();
      for (let at = Math.ceil(from / step) * step; at <= to + 1e-9; at += step) {
        const x = share(at), text = document.createElementNS('http://www.w3.org/2000/svg', 'text');
        Object.entries({ x: x + '%', y: '100%', dy: 18, class: x < 2 ? 'first' : x > 97 ? 'last' : 'x' }).forEach(([key, value]) => text.setAttribute(key, value));
        text.textContent = seconds(Math.round(at * 10) / 10);
        ticks.append(text);
      }
    });
    const fields = form().elements;
    [fields.from.value, fields.to.value] = [Math.round(from), Math.round(to)];
    form().querySelector('output').value = stretch ? 'seconds ' + Math.round(from) + ' to ' + Math.round(to) + ' of ' + most : '';
  }

  const zoomTo = (from, to) => {
    zoom(from, to);
    keep(['from', 'to'], stretch ? [['from', Math.round(stretch[0]).toString()], ['to', Math.round(stretch[1]).toString()]] : []);
  };

  const ready = () => {
    all('.copy').forEach((button) => { button.hidden = !navigator.clipboard; });
    if (!form() || document.body.dataset.live) return;
    form().hidden = false;
    const given = state();
    if (given.has('from') || given.has('to')) zoom(Number(given.get('from') || 0), Number(given.get('to') || span()));
    else zoom(0, span());
    form().addEventListener('submit', (event) => event.preventDefault());
    form().addEventListener('reset', (event) => { event.preventDefault(); zoomTo(0, span()); });
    form().addEventListener('change', () => zoomTo(Number(form().elements.from.value), Number(form().elements.to.value) || span()));
    form().addEventListener('click', (event) => {
      const by = { in: 0.5, out: 2 }[event.target.name];
      if (!by) return;
      const [from, to] = stretch || [0, span()], middle = (from + to) / 2, half = (to - from) / 2 * by;
      zoomTo(middle - half, middle + half);
    });
    zoomable().forEach((chart) => {
      const axes = chart.querySelector('.axes');
      axes.addEventListener('pointerdown', (down) => {
        if (down.button || down.pointerType === 'touch') return;
        const box = axes.getBoundingClientRect(), mark = axes.appendChild(document.createElementNS('http://www.w3.org/2000/svg', 'rect'));
        const at = (event) => Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)), start = at(down);
        mark.setAttribute('class', 'selection');
        mark.setAttribute('height', '100%');
        axes.setPointerCapture(down.pointerId);
        down.preventDefault();
        axes.onpointermove = (event) => {
          mark.setAttribute('x', Math.min(start, at(event)) * 100 + '%');
          mark.setAttribute('width', Math.abs(at(event) - start) * 100 + '%');
        };
        axes.onpointerup = (event) => {
          mark.remove();
          axes.onpointermove = axes.onpointerup = null;
          const [from, to] = stretch || [0, span()], ends = [start, at(event)].sort((one, other) => one - other).map((share) => from + share * (to - from));
          if (ends[1] - ends[0] > (to - from) / 100) zoomTo(...ends);
        };
      });
    });
  };

  document.addEventListener('click', (event) => {
    const button = event.target.closest('.copy');
    if (!button) return;
    navigator.clipboard.writeText(button.parentElement.querySelector('code').textContent).then(
      () => { button.textContent = 'Copied'; setTimeout(() => { button.textContent = 'Copy'; }, 1500); },
      () => { button.textContent = 'Not allowed'; },
    );
  });
  addEventListener('beforeprint', () => all('details').forEach((details) => { details.open = true; }));
  ready();

  const live = document.body.dataset.live;
  if (live) {
    const events = new EventSource(live), body = document.getElementById('body');
    events.onmessage = (event) => {
      const open = all('details').map((details) => details.open);
      body.innerHTML = event.data;
      all('details').forEach((details, at) => { details.open = open[at] ?? details.open; });
      ready();
    };
    const over = () => { events.close(); all('.live').forEach((mark) => { mark.textContent = 'over'; }); };
    events.addEventListener('end', over);
    events.onerror = over;
  }
})();
