"""The estimators' HTML in notebooks: a link, and a description for every entry."""

import inspect
import re
from html.parser import HTMLParser

import pytest
from sklearn.datasets import load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV

MODELS = {
    "linear": SoftmaxRegressionClassifier(),
    "hidden": SoftmaxRegressionClassifier((4,), early_stopping=True, random_state=0),
    "chosen penalty": SoftmaxRegressionClassifierCV(cv="alo"),
}


@pytest.fixture(scope="module", params=MODELS.values(), ids=MODELS)
def fitted(request):
    return request.param.fit(*load_iris(return_X_y=True, as_frame=True))


class Page(HTMLParser):
    """Addresses of the links, and the texts inside them."""

    def __init__(self, html):
        super().__init__()
        self.addresses, self.texts, self._inside = [], [], False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        if tag == "a" and dict(attrs).get("href"):
            self._inside = True
            self.addresses.append(dict(attrs)["href"])
            self.texts.append("")

    def handle_endtag(self, tag):
        self._inside = self._inside and tag != "a"

    def handle_data(self, data):
        if self._inside:
            self.texts[-1] += data


def fitted_attributes(model):
    """Public names that end in an underscore and have a value."""
    return [
        name
        for name, _ in inspect.getmembers(model)
        if name.endswith("_") and not name.startswith("_")
    ]


def test_every_fitted_attribute_has_an_entry_in_the_docstring(fitted):
    documentation = inspect.getdoc(type(fitted))
    attributes = documentation[documentation.index("Attributes\n") :]
    names = fitted_attributes(fitted)
    assert len(names) > 10
    missing = [
        n for n in names if not re.search(f"^{n} : .+\n    ", attributes, re.MULTILINE)
    ]
    assert missing == []


def test_the_page_links_to_the_documentation_of_the_class(fitted):
    name = type(fitted).__name__
    addresses = Page(fitted._repr_html_()).addresses
    assert addresses[0].startswith("https://")
    assert addresses[0].endswith(f"/sksoftmax.{name}.html")
    assert all(address.split("#")[0] == addresses[0] for address in addresses)


def test_every_parameter_and_attribute_on_the_page_has_its_description(fitted):
    texts = Page(fitted._repr_html_()).texts
    names = [*fitted.get_params(), *fitted_attributes(fitted)]
    if not hasattr(fitted, "_get_fitted_attr_html"):
        names = []  # before scikit-learn 1.9 there is the link, without descriptions
    for name in names:
        shown = [text for text in texts if text.split()[:2] == [name, f"{name}:"]]
        assert len(shown) == 1, name
        assert len(shown[0].split()) > 4, name


def test_the_link_is_there_inside_a_pipeline():
    model = make_pipeline(StandardScaler(), SoftmaxRegressionClassifier())
    addresses = Page(model._repr_html_()).addresses
    assert any(
        a.endswith("/sksoftmax.SoftmaxRegressionClassifier.html") for a in addresses
    )
