// launcher.js: the round button that opens the chat. It comes after e.js, so that counting waits for no looks,
// and before chat.js, which is fetched when somebody wants it and then takes the button over.

import { follow, widgetTheme } from '../shared/colour';
import { dress } from '../shared/dom';
import { place } from '../shared/place';
import style from './style.css';

const { root, isNew } = place();
if (isNew) {
  dress(root, style);
  follow(root.host as HTMLElement, widgetTheme());
  const button = root.querySelector('button')!;
  // What it opens is said from the beginning; chat.js goes on with it.
  button.setAttribute('aria-expanded', 'false');
  button.onclick = () => window.embudo!('chat', 'open');
}
