// The longest of all: it stands first in the alphabet, so that it begins first.

import { launch } from './webkit.mjs';
import { walk } from './walk.mjs';

walk('WebKit', launch);
