import type { Host } from './host';
import { refuses } from './refusal';
import { read, write } from './store';

/**
 * Uses the visitor id that the server gave for a form, `sent` being the one it was sent with. Sending a form is consent
 * to be known again, unless a refusal stands. If the id is another one, another person sits here: the chat is theirs not.
 */
export function adopt(host: Host, visitor: string, sent: string | null): void {
  const hasRefused = read('consent') || host.agreed || read('optout') || refuses();
  if (host.consent() === 'none' && !hasRefused) host.agree('analytics');
  if (sent && sent !== visitor) host.reset();
  host.known = visitor;
  if (host.consent() !== 'none') write('visitor', visitor);
}
