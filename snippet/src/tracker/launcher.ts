// The round button, and the shadow root in which chat.js later builds the panel.

import { doc } from './config';
import style from './launcher.css';

let made: ShadowRoot | undefined;

export const root = (open: () => void): ShadowRoot => {
  if (made) return made;
  const place = doc.createElement('embudo-chat');
  const button = doc.createElement('button');
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(style);
  made = place.attachShadow({ mode: 'open' });
  made.adoptedStyleSheets = [sheet];
  made.append(button);
  place.role = 'complementary';
  place.ariaLabel = button.title = 'Chat'; // chat.js says it in the page's language
  button.onclick = open;
  // Beside the body, not in it: some pages replace their body when they change the address.
  doc.documentElement.append(place);
  return made;
};
