// Keys as WebDriver writes them (https://www.w3.org/TR/webdriver2/#keyboard-actions).

const KEYS = {
  Tab: '\uE004',
  Enter: '\uE007',
  Shift: '\uE008',
  Escape: '\uE00C',
  Space: ' ',
  End: '\uE010',
  Home: '\uE011',
  PageUp: '\uE00E',
  PageDown: '\uE00F',
  ArrowLeft: '\uE012',
  ArrowUp: '\uE013',
  ArrowRight: '\uE014',
  ArrowDown: '\uE015',
};

const stroke = (value) => [
  { type: 'keyDown', value },
  { type: 'keyUp', value },
];

/** `Shift+Tab`: what is held down first, and let go last. */
export function pressed(key) {
  const all = key.split('+').map((name) => KEYS[name] || name);
  const down = all.map((value) => ({ type: 'keyDown', value }));
  const up = all.map((value) => ({ type: 'keyUp', value })).reverse();
  return [{ type: 'key', id: 'keyboard', actions: [...down, ...up] }];
}

export const typed = (text) => [{ type: 'key', id: 'keyboard', actions: [...text].flatMap(stroke) }];
