"""Prints the zones that Windows names, each with the IANA zone that the Unicode CLDR gives for it, as tzlocal carries them."""

import json

from tzlocal.windows_tz import win_tz

print(json.dumps(win_tz))
