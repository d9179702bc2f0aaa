// e.js: counts what happens on a page, and fetches the forms and the chat when they are needed.
// Nothing here may throw into the page or hold it up; size is a test.

import type { Embudo } from '../shared/host';
import { read, write } from '../shared/store';
import { launch, page } from './chat';
import { api, doc, isFramed, language, options, post, safe, say } from './config';
import { hit, restore } from './hits';
import { agree, consent, forget, host, sender } from './identity';
import { links } from './links';
import { load } from './load';
import { follow, look } from './pages';

Object.assign(host, { api, language, sender, consent, agree, reset: forget, post, page, launch });

// A link in a mail brings a token. Nobody but a visitor can be known again: it waits for consent, as long as the page lives.
let token: string | null;
const arrive = () => {
  const { visitor } = sender('');
  if (token && visitor) {
    post('/v1/confirm', { token, visitor }).catch(say);
    token = '';
  }
};

// What `embudo(…)` understands.
const commands: Record<string, (given?: any, more?: any) => unknown> = {
  event: hit,
  // A token of the host proves who it is, an address alone claims it. If it is somebody else than before, what this
  // browser knew is not theirs.
  identify(to) {
    const { visitor } = sender('');
    if (visitor)
      post('/v1/identify', { ...sender(language()), to })
        .then((answer) => answer.json())
        .then((told) => {
          if ((told.visitor || visitor) == visitor) return;
          forget();
          write('visitor', (host.known = told.visitor));
        })
        .catch(say);
    else say('not sent: no consent');
  },
  reset: forget,
  // What was asked may be told with the answer: `{ text, text_id }`, as proof.
  consent(to, asked) {
    const before = consent();
    if (to) agree(to);
    if (consent() != before) hit('consent', { to, ...asked });
    arrive();
    return consent();
  },
  optout(yes) {
    forget();
    restore(); // of which nothing is left
    write('optout', yes && '1');
  },
  chat(what, flow) {
    if (what != 'close') launch({ flow });
    else host.chat?.close();
  },
};

const run = safe((...[name, ...rest]: unknown[]) => commands[name as string]?.(...rest));

const moved = () => {
  look();
  if (options.chat != 'off' && !isFramed) load('launcher');
  if (doc.querySelector('[data-embudo-form]')) load('forms', () => host.fill!());
};

const start = () => {
  // The address is made clean before anybody counts it.
  const url = new URL(location.href);
  token = url.searchParams.get('embudo_t');
  if (token) {
    url.searchParams.delete('embudo_t');
    history.replaceState(history.state, '', url);
    arrive();
  }
  const early = window.embudo?.q;
  (window.embudo = run as Embudo).host = host;
  restore();
  // Consent given early must be known before the page is counted.
  early?.map((given) => run(...given));
  follow(moved);
  links();
  setTimeout(safe(moved)); // a task of its own: the first one should be short
  const kept = JSON.parse(read('chat') || '{}');
  if (kept.conversation) launch({ quiet: true, show: kept.open });
};

// A second script tag finds the first at work.
if (!window.embudo?.host) safe(start)();
