import { launch } from './chromium.mjs';
import { story } from './story.mjs';

story('Chromium', launch);
