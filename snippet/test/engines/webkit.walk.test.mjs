import { launch } from './webkit.mjs';
import { walk } from './walk.mjs';

walk('WebKit', launch);
