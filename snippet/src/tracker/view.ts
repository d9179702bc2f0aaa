// The page view that runs.

import { doc } from './config';

/** `url_` is empty until somebody has seen the page. */
export const view = { url_: '', referrer_: doc.referrer };
