import type { Host } from './host';
import { read, write } from './store';

/**
 * Uses the visitor id that the server gave. `asked`: the visitor did something that is consent to be known again, like
 * sending a form; it counts unless a refusal stands. Another person than before takes nothing over: the chat is reset.
 */
export function adopt(host: Host, visitor: string, asked = false): void {
  if (asked && host.consent() === 'none' && !read('consent') && !host.agreed) host.agree('analytics');
  if (host.known && host.known !== visitor) host.reset();
  host.known = visitor;
  if (host.consent() !== 'none') write('visitor', visitor);
}
