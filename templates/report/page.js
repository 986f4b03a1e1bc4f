'use strict';
(() => {
  const root = document.documentElement;
  const byId = (id) => document.getElementById(id);
  const remember = (name, value) => { try { localStorage.setItem(name, value); } catch { /* a file without storage */ } };
  const remembered = (name) => { try { return localStorage.getItem(name); } catch { return null; } };

  const themes = ['system', 'light', 'dark'];
  const theme = byId('theme');
  const setTheme = (name) => {
    if (name === 'system') delete root.dataset.theme; else root.dataset.theme = name;
    byId('theme-name').textContent = name;
  };
  setTheme(themes.includes(remembered('medc-theme')) ? remembered('medc-theme') : 'system');
  theme.hidden = false;
  theme.addEventListener('click', () => {
    const next = themes[(themes.indexOf(root.dataset.theme || 'system') + 1) % themes.length];
    setTheme(next);
    remember('medc-theme', next);
  });

  // What a link leads to may stand in something that is folded or filtered away.
  const reveal = () => {
    const target = byId(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let at = target; at; at = at.parentElement) {
      if (at.tagName === 'DETAILS') at.open = true;
      at.hidden = false;
    }
    target.scrollIntoView();
    const focusable = target.querySelector(':scope > summary');
    if (focusable) focusable.focus({ preventScroll: true });
  };
  addEventListener('hashchange', reveal);

  const tools = byId('tools');
  if (tools) {
    tools.hidden = false;
    const tables = [...document.querySelectorAll('details.table')];
    const layers = [...document.querySelectorAll('.layer')];
    const filter = byId('filter');
    const onlyBroken = byId('only-broken');
    const expand = byId('expand');
    const apply = () => {
      const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const table of tables) {
        const fits = words.every((word) => table.dataset.search.includes(word))
          && (!onlyBroken.checked || 'broken' in table.dataset);
        table.hidden = !fits;
        shown += fits ? 1 : 0;
      }
      for (const layer of layers) layer.hidden = !layer.querySelector('details.table:not([hidden])');
      byId('filtered').textContent = shown === tables.length ? '' : `${shown.toLocaleString('en')} of ${tables.length.toLocaleString('en')} tables`;
    };
    filter.addEventListener('input', apply);
    filter.addEventListener('keydown', (event) => { if (event.key === 'Escape') { filter.value = ''; apply(); } });
    onlyBroken.addEventListener('change', apply);
    expand.addEventListener('click', () => {
      const open = expand.getAttribute('aria-pressed') !== 'true';
      expand.setAttribute('aria-pressed', String(open));
      expand.textContent = open ? 'Close all' : 'Open all';
      for (const table of tables) if (!table.hidden) table.open = open;
    });
  }

  // Which section is read now.
  const links = [...document.querySelectorAll('.sections a')];
  const sections = links.map((link) => byId(link.hash.slice(1)));
  if ('IntersectionObserver' in window) {
    const seen = new Set();
    const observer = new IntersectionObserver((entries) => {
      for (const entry of entries) if (entry.isIntersecting) seen.add(entry.target); else seen.delete(entry.target);
      const current = sections.findIndex((section) => seen.has(section));
      links.forEach((link, at) => { if (at === current) link.setAttribute('aria-current', 'true'); else link.removeAttribute('aria-current'); });
    }, { rootMargin: '-15% 0px -60% 0px' });
    sections.forEach((section) => { if (section) observer.observe(section); });
  }

  let opened = [];
  addEventListener('beforeprint', () => {
    opened = [...document.querySelectorAll('details.finding:not([open])')];
    opened.forEach((details) => { details.open = true; });
  });
  addEventListener('afterprint', () => { opened.forEach((details) => { details.open = false; }); });
  reveal();
})();
