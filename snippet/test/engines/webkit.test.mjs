import { launch } from './webkit.mjs';
import { story } from './story.mjs';
import { widget } from './widget.mjs';

story('WebKit', launch);
widget('WebKit', launch);
