import type { Host } from './host';

/** The server's own links begin with a slash and stand behind the same path as its doors. Others must be web addresses. */
export const address = (host: Host, link: string): string =>
  link.startsWith('/') && !link.startsWith('//') ? host.api + link : /^https?:\/\//i.test(link) ? link : '';

/** What a flow shows or links to: an address of the web, or a path on the page's own site. Others lead nowhere. */
export const outside = (link: string): string =>
  link.startsWith('/') && !link.startsWith('//') ? location.origin + link : /^https:\/\//i.test(link) ? link : '';
