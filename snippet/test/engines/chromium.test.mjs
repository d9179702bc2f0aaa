import { alone, launch } from './chromium.mjs';
import { story } from './story.mjs';

story('Chromium', launch, alone);
