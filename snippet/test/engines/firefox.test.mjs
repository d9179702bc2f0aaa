import { launch } from './firefox.mjs';
import { story } from './story.mjs';

story('Firefox', launch);
