// e.js: counts what happens on a page, and fetches the forms and the chat when they are needed.
// Nothing here may throw into the page or hold it up; size is a test.

import type { Opening } from '../shared/host';
import { read, write } from '../shared/store';
import { api, doc, language, options, post, safe, say } from './config';
import { hit, restore, view } from './hits';
import { agree, consent, forget, host, sender } from './identity';
import { root } from './launcher';
import { links } from './links';
import { load } from './load';
import { follow, look } from './pages';

const isReturning = !!read('visitor');

const launch = (how: Opening) => load('chat', () => host.chat!.open(how));
const open = () => launch({});

Object.assign(host, { api, language, sender, consent, agree, reset: forget, post, root: () => root(open) });

view.ask_ = () => {
  if (options.chat == 'off') return;
  post('/v1/chat/trigger', {
    ...sender(language()),
    page: { url: view.url_, title: doc.title },
    returning: isReturning,
  })
    .then((answer) => answer.status == 200 && answer.json())
    .then((told) => told && setTimeout(() => launch({ flow: told.flow, quiet: true, show: told.open }), told.delay_ms))
    .catch(say);
};

// What `embudo(…)` understands.
const commands: Record<string, (given?: any, more?: any) => unknown> = {
  event: hit,
  reset: forget,
  consent(to) {
    const before = consent();
    if (to) agree(to);
    if (consent() != before) hit('consent', { to });
    return consent();
  },
  optout(yes) {
    forget();
    write('optout', yes && '1');
  },
  chat(what) {
    if (what != 'close') open();
    else host.chat?.close();
  },
};

const run = safe((...[name, ...rest]: unknown[]) => commands[name as string]?.(...rest));

const forms = () => {
  if (doc.querySelector('[data-embudo-form]')) load('forms', () => host.fill!());
};

const moved = () => {
  look();
  forms();
};

const start = () => {
  // A link in a mail brings a token: it is spent at once, and the address is made clean before anybody counts it.
  const url = new URL(location.href);
  const token = url.searchParams.get('embudo_t');
  if (token) {
    url.searchParams.delete('embudo_t');
    history.replaceState(history.state, '', url);
    const { visitor } = sender('');
    if (visitor) post('/v1/confirm', { token, visitor }).catch(say); // nobody else can be confirmed
  }
  const early = window.embudo?.q || [];
  window.embudo = Object.assign(run, { host });
  restore();
  // Consent given early must be known before the page is counted.
  early.map((given) => run(...given));
  follow(moved);
  links(open);
  setTimeout(safe(moved)); // a task of its own: the first one should be short
  if (options.chat != 'off' && top == self) root(open);
  const kept = JSON.parse(read('chat') || '{}');
  if (kept.conversation) launch({ quiet: true, show: kept.open });
};

if (!window.embudo?.host) safe(start)();
