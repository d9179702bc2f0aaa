// When chat.js and moments.js are fetched, and for what.

import type { Opening } from '../shared/host';
import { read } from '../shared/store';
import { doc, options } from './config';
import { host } from './identity';
import { load } from './load';
import { view } from './view';

const isReturning = !!read('visitor');

export const launch = (how: Opening) => load('chat', () => host.chat!.open(how));

/** The page that is being viewed, for whoever asks the server about it. */
export const page = () => ({ page: { url: view.url_, title: doc.title }, returning: isReturning });

/** The server has flows for this page: moments.js asks which, and waits for their moments. */
export const ask = () => {
  if (options.chat != 'off') load('moments', () => host.offer!());
};
