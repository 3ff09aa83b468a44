"""The report: one HTML file that holds everything it shows.

It reads contracts and computes nothing but geometry and wording. ``render_report`` is the whole interface.

* ``sections``: contract -> what one part of the page says (frozen view models, no markup).
* ``figures``: numbers -> inline SVG.
* ``templates``: the page. Autoescaping is on; there is no script, no link and no fetch in it.
"""

from darwin_core.reporting.report import render_report as render_report
