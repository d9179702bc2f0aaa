import { launch } from './firefox.mjs';
import { story } from './story.mjs';
import { widget } from './widget.mjs';

story('Firefox', launch);
widget('Firefox', launch);
