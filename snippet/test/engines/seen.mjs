// For browsers that show all their tabs at once when nobody looks: the page is told that it is hidden, or no longer.

export const hidden = () => {
  Object.defineProperty(document, 'visibilityState', { value: 'hidden', configurable: true });
  document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
};

export const shown = () => {
  delete document.visibilityState;
  document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
};
