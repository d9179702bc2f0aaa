import { alone, launch } from './chromium.mjs';
import { story } from './story.mjs';
import { widget } from './widget.mjs';

story('Chromium', launch, alone);
widget('Chromium', launch);
