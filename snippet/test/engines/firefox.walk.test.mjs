import { launch } from './firefox.mjs';
import { walk } from './walk.mjs';

walk('Firefox', launch);
