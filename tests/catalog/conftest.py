import io

import pytest
from PIL import Image


@pytest.fixture(scope="session")
def cover_png() -> bytes:
    out = io.BytesIO()
    Image.linear_gradient("L").resize((300, 300)).save(out, "PNG")
    return out.getvalue()
