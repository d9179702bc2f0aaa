import { launch } from './firefox.mjs';
import { console } from './console.mjs';

console('Firefox', launch);
