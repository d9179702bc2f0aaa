// What is clicked and submitted: links that lead away, to a file or to the chat, forms, and what the page marked.

import { launch } from './chat';
import { api, on } from './config';
import { hit } from './hits';

const FILE = /\.(pdf|zip|rar|7z|t?gz|(doc|xls|ppt)x?|od[pst]|csv|txt|rtf|epub|key|exe|msi|dmg|pkg|apk|mp[34]|mov|avi|wav)$/i;

export const links = () =>
  on('click auxclick submit', (event) => {
    const { target } = event;
    const isSubmit = event.type == 'submit';
    if (event.button > 1) return; // that opens a menu
    const marked = target.closest('[data-embudo-event]');
    // A click into a form is not yet its event, and a sent form is not the event of what it stands in.
    if (marked && isSubmit == (marked.localName == 'form')) {
      const props: Record<string, string> = {};
      for (const { name, value } of marked.attributes) {
        const [, prop] = name.split('data-embudo-event-');
        if (prop) props[prop] = value;
      }
      hit(marked.dataset.embudoEvent, props);
    }
    // Never what was typed; and not `target.id`: a field of that name would stand in for it.
    if (isSubmit) return hit('form', { form: target.getAttribute('id') || target.getAttribute('name') });
    const link = target.closest('a[href],[data-embudo-chat]');
    if (link?.matches('[data-embudo-chat]')) {
      event.preventDefault();
      launch({});
    } else if (/^http/.test(link?.href)) {
      // Without the query: it may hold what is nobody's business.
      const props = { url: link.origin + link.pathname };
      if (link.matches('[download]') || FILE.test(link.pathname)) hit('download', props);
      else if (link.host != location.host && !link.href.startsWith(api + '/')) hit('outbound', props); // ours hold tokens
    }
  });
