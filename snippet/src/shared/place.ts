/** The element in which the chat lives, its button already in it. Whoever comes first makes it: launcher.js or chat.js. */
export function place(): { root: ShadowRoot; isNew: boolean } {
  const known = document.querySelector<HTMLElement>('embudo-chat');
  const made = known || document.createElement('embudo-chat');
  const root = known?.shadowRoot || made.attachShadow({ mode: 'open' });
  if (!known) {
    const button = document.createElement('button');
    root.append(button);
    made.role = 'complementary';
    made.ariaLabel = button.title = 'Chat'; // chat.js says it in the page's language
    // On which side the page begins: there it ends, too.
    made.dir = getComputedStyle(document.body || document.documentElement).direction;
    // Beside the body, not in it: some pages replace their body when they change the address.
    document.documentElement.append(made);
  }
  return { root, isNew: !known };
}
