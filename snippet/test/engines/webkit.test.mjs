import { launch } from './webkit.mjs';
import { story } from './story.mjs';

story('WebKit', launch);
