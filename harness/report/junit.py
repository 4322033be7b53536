"""JUnit XML: one suite per model, one testcase per verdict, with properties where it did not pass.

The dialect is the one that Jenkins, GitLab and GitHub actions read.
"""

from xml.etree import ElementTree

from harness.judged import Judged, Standing, standing
from harness.report.matrix import feature_of
from harness.report.words import detail, item_name, shown
from harness.runfile import Run
from harness.verdict import Failed


def junit(run: Run) -> bytes:
    root = ElementTree.Element("testsuites", name=f"wireproof {run.header.wireproof}: {_xml(run.header.target.name)}")
    suites: dict[str, ElementTree.Element] = {}
    for judged in run.verdicts:
        suite = suites.get(judged.model)
        if suite is None:
            suite = suites[judged.model] = ElementTree.SubElement(root, "testsuite", name=_xml(judged.model), timestamp=run.header.started)
            properties = ElementTree.SubElement(suite, "properties")
            for name, value in _run_facts(run).items():
                ElementTree.SubElement(properties, "property", name=name, value=_xml(value))
        suite.append(_testcase(run, judged))
    for element in suites.values():
        _count(element)
    _count(root)
    ElementTree.indent(root)
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _run_facts(run: Run) -> dict[str, str]:
    return {
        "target": run.header.target.name,
        "base_url": run.header.target.base_url,
        "recordings": run.header.recordings,
        "complete": str(run.complete).lower(),
    }


def _testcase(run: Run, judged: Judged) -> ElementTree.Element:
    case = ElementTree.Element("testcase", classname=feature_of(judged.requirement).replace("/", "."), name=_xml(item_name(judged)))
    if standing(judged) is Standing.PASSED:
        return case  # its name says all, and thousands of them stand in every green run
    facts = run.facts.get(judged.exchange) if judged.exchange else None
    properties = ElementTree.SubElement(case, "properties")
    for name, value in {
        "requirement": judged.requirement,
        "severity": judged.severity,
        "standing": standing(judged),
        "surface": judged.surface,
        "model": judged.model,
        "case": judged.case,
        "origin": facts.recording.origin if facts and facts.recording else "none",
    }.items():
        ElementTree.SubElement(properties, "property", name=name, value=_xml(value))
    said = detail(judged)
    expected = judged.expected.reason if judged.expected else ""
    match standing(judged):
        case Standing.FAILED:
            failure = ElementTree.SubElement(case, "failure", type=judged.severity, message=_xml(run.requirements[judged.requirement].text))
            failure.text = _xml(_findings(judged))
        case Standing.UNEXPECTED_PASS:
            message = f"passed ({said}), though expected to fail: {expected}"
            ElementTree.SubElement(case, "failure", type="unexpected-pass", message=_xml(message))
        case Standing.ERRORED:
            ElementTree.SubElement(case, "error", type="errored", message=_xml(said))
        case Standing.EXPECTED | Standing.FLAKY as word:
            skipped = ElementTree.SubElement(case, "skipped", type=word, message=_xml(f"{word}: {expected}"))
            skipped.text = _xml(_findings(judged))
        case Standing.INCONCLUSIVE | Standing.NOT_APPLICABLE as word:
            ElementTree.SubElement(case, "skipped", type=word, message=_xml(f"{word}: {said}"))
    return case


def _findings(judged: Judged) -> str:
    return "\n".join(str(finding) for finding in judged.verdict.findings) if isinstance(judged.verdict, Failed) else ""


def _count(element: ElementTree.Element) -> None:
    for name, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(name, str(sum(1 for _ in element.iter(tag))))


def _xml(text: str) -> str:
    return shown(text).replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")  # no XML 1.0 character, and shown() leaves them
