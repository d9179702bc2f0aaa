import type { Host } from './host';

/** The server's own links begin with a slash and stand behind the same path as its doors. Others must be web addresses. */
export const address = (host: Host, link: string): string =>
  link.startsWith('/') && !link.startsWith('//') ? host.api + link : /^https?:\/\//i.test(link) ? link : '';
