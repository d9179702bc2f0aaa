// When chat.js is fetched, and for what.

import type { Opening } from '../shared/host';
import { read } from '../shared/store';
import { doc, language, options, post } from './config';
import { host, sender } from './identity';
import { load } from './load';
import { view } from './view';

const isReturning = !!read('visitor');

export const launch = (how: Opening) => load('chat', () => host.chat!.open(how));

/** Somebody wants it. */
export const open = () => launch({});

/** Asks the server whether a flow wants to be opened on this page. */
export const ask = async () => {
  if (options.chat == 'off') return;
  const answer = await post('/v1/chat/trigger', {
    ...sender(language()),
    page: { url: view.url_, title: doc.title },
    returning: isReturning,
  });
  if (answer.status != 200) return;
  const told = await answer.json();
  setTimeout(() => launch({ flow: told.flow, quiet: true, show: told.open }), told.delay_ms);
};
