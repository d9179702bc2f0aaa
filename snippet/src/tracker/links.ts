// Clicks that lead away, to a file, or to the chat.

import { api, on } from './config';
import { hit } from './hits';

const FILE = /\.(pdf|zip|docx?|xlsx?|pptx?|csv|epub|mp[34]|exe|dmg)$/i;

export const links = (chat: () => void) =>
  on(document, 'click auxclick', (event) => {
    const link = event.target.closest('a[href],[data-embudo-chat]');
    if (!link) return;
    if (link.dataset.embudoChat != null) {
      event.preventDefault();
      chat();
    } else if (/^http/.test(link.href)) {
      // Without the query: it may hold what is nobody's business.
      const props = { url: link.origin + link.pathname };
      if (link.download || FILE.test(link.pathname)) hit('download', props);
      else if (link.host != location.host && !link.href.startsWith(api)) hit('outbound', props); // ours hold tokens
    }
  });
