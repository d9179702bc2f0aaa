// The longest of all: it stands first in the alphabet, so that it begins first.

import { launch } from './firefox.mjs';
import { walk } from './walk.mjs';

walk('Firefox', launch);
