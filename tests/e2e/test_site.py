"""The reference as a site: whole in both languages, without a dead link, and searched in a real browser from file://."""
import html.parser
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

from browser import Browser
from harness import peer, program, sallyport

VOID = {"meta", "link", "input", "br", "img", "hr"}
KINDS = ("codes", "enhanced", "commands", "keywords", "mechanisms", "providers", "reasons", "compare")


class Page(html.parser.HTMLParser):
    def __init__(self, path):
        super().__init__(convert_charrefs=True)
        self.open, self.wrong, self.ids, self.links, self.tags, self.text, self.lang = [], [], set(), [], [], [], ""
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        if self.open:
            self.wrong.append(f"never closed: {self.open}")

    def handle_starttag(self, tag, attributes):
        fields = dict(attributes)
        self.tags.append((tag, fields))
        self.lang = fields.get("lang", "") if tag == "html" else self.lang
        if tag not in VOID:
            self.open.append(tag)
        if fields.get("id") in self.ids:
            self.wrong.append(f"the id {fields['id']} is there twice")
        if "id" in fields:
            self.ids.add(fields["id"])
        self.links += [fields[name] for name in ("href", "src") if fields.get(name)]

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> at {self.getpos()} closes something else")

    def handle_data(self, data):
        if not {"script", "style", "title"} & set(self.open):
            self.text.append(data)

    def count(self, tag):
        return sum(1 for name, _ in self.tags if name == tag)


class Written(unittest.TestCase):
    """The site, written once for each class of tests."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="sallyport-site-")
        cls.addClassCleanup(folder.cleanup)
        cls.root = pathlib.Path(folder.name).resolve() / "made" / "here"
        cls.said = sallyport("reference", "--html", str(cls.root)).stdout
        cls.pages = {path: Page(path) for path in cls.root.rglob("*.html")}

    def url(self, path):
        return (self.root / path).as_uri()


class Site(Written):
    def test_what_was_written_is_counted(self):
        files = [path for path in self.root.rglob("*") if path.is_file()]
        self.assertIn(f"{len(files)} files", self.said)

    def test_each_kind_is_there_in_both_languages(self):
        for kind in KINDS:
            names = [sorted(p.name for p in (self.root / lang / kind).iterdir()) for lang in ("en", "vi")]
            self.assertEqual(names[0], names[1])
            self.assertGreaterEqual(len(names[0]), 10, kind)

    def test_well_formed(self):
        self.assertEqual({}, {str(path): page.wrong for path, page in self.pages.items() if page.wrong})

    def test_every_link_leads_somewhere(self):
        dead = []
        for path, page in self.pages.items():
            for link in page.links:
                if link.startswith("data:") or re.match(r"https://www\.rfc-editor\.org/rfc/rfc\d+(#(section|appendix)-[\w.]+)?$", link):
                    continue
                name, _, anchor = link.partition("#")
                target = pathlib.Path(os.path.normpath(path.parent / name)) if name else path
                if not target.exists() or (anchor and anchor not in self.pages[target].ids):
                    dead.append(f"{path.relative_to(self.root)}: {link}")
        self.assertEqual(dead, [])

    def test_nothing_is_loaded_from_elsewhere(self):
        for path, page in self.pages.items():
            for tag, fields in page.tags:
                if tag in ("link", "script", "img", "iframe", "form", "source"):
                    address = fields.get("href") or fields.get("src") or fields.get("action") or ""
                    self.assertFalse(address.startswith(("http", "//")), f"{path}: {address}")
        self.assertNotIn("url(", (self.root / "assets" / "style.css").read_text())

    def test_landmarks_headings_and_language(self):
        for path, page in self.pages.items():
            if path == self.root / "index.html":
                continue
            with self.subTest(page=path.relative_to(self.root)):
                self.assertEqual(page.lang, path.relative_to(self.root).parts[0])
                for tag in ("main", "h1", "footer"):
                    self.assertEqual(page.count(tag), 1)
                self.assertGreaterEqual(page.count("nav"), 1)
                levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
                self.assertTrue(all(b <= a + 1 for a, b in zip(levels, levels[1:])), levels)

    def test_vietnamese_pages_are_vietnamese(self):
        headings = {"Description", "When you see this code", "How to fix", "The key difference", "When to use which", "Facts"}
        for path, page in self.pages.items():
            if path.relative_to(self.root).parts[0] != "vi":
                continue
            text = [t.strip() for t in page.text]
            self.assertFalse(headings & set(text), path)
            self.assertTrue(re.search("[ạảấầẩậắằặẹẻếềểệỉịọỏốồổộớờợụủứừửựỳỷ]", " ".join(text)), path)

    def test_what_is_sent_is_escaped(self):
        text = (self.root / "en" / "commands" / "data.html").read_text(encoding="utf-8")
        self.assertIn("MAIL FROM:&lt;ann@client.example&gt;", text)

    def test_the_page_that_it_began_with(self):
        for lang, headings in (("en", ("Description", "When you see this code", "How to fix", "The key difference", "When to use which")),
                               ("vi", ("Mô tả", "Khi bạn thấy mã này", "Cách khắc phục", "Sự khác biệt chính", "Khi nào dùng cái nào"))):
            text = "\n".join(self.pages[self.root / lang / "compare" / "334-503.html"].text)
            places = [text.find(f"\n{heading}\n") for heading in headings]
            self.assertTrue(all(place >= 0 for place in places) and places == sorted(places), places)
            self.assertIn("VXNlcm5hbWU6", text)
            self.assertIn("[mail-before-ehlo]", text)

    def test_a_folder_that_cannot_be_made(self):
        file = self.root.parent / "file"
        file.write_text("")
        run = sallyport("reference", "--html", str(file), check=False)
        self.assertEqual(run.returncode, 73)
        self.assertIn("cannot write", run.stderr)


class InABrowser(Written):
    """What only a browser can tell. Without one it is skipped."""

    def find(self, browser, query):
        browser.press("/")
        browser.until("document.activeElement.id === 'q'")
        browser.run("document.activeElement.value = ''")
        browser.type(query)
        browser.until("!document.getElementById('found').hidden")
        return browser.run("[...document.querySelectorAll('#found li b')].map(b => b.textContent)")

    def test_search(self):
        with Browser() as b:
            b.open(self.url("en/codes/250.html"))
            self.assertEqual(self.find(b, "bad sequence")[0], "503")
            self.assertEqual(self.find(b, "Username:")[0], "334")
            self.assertEqual(self.find(b, "535 5.7.139 Authentication unsuccessful, basic authentication is disabled")[0],
                             "535 5.7.139")
            self.assertEqual(self.find(b, "zzzz qqqq"), [])
            self.assertEqual(self.find(b, "scram-sha-256")[0], "SCRAM-SHA-256")
            b.events.clear()
            b.press("Enter")
            b.wait_for_load()
            self.assertTrue(b.run("location.href").endswith("/en/mechanisms/scram-sha-256.html"))
            self.assertEqual(b.faults(), [])

    def test_search_in_vietnamese_with_and_without_its_marks(self):
        with Browser() as b:
            b.open(self.url("vi/index.html"))
            self.assertIn("503", self.find(b, "sai thứ tự")[:3])
            self.assertIn("503", self.find(b, "sai thu tu")[:3])
            b.press("ArrowDown")
            self.assertEqual(b.run("document.querySelectorAll('#found [aria-selected=true]').length"), 1)
            b.press("Escape")
            self.assertTrue(b.run("document.getElementById('found').hidden"))

    def test_language_switch(self):
        with Browser() as b:
            b.open(self.url("en/compare/334-503.html"))
            b.events.clear()
            b.run("document.querySelector('.tools a').click()")
            b.wait_for_load()
            self.assertTrue(b.run("location.href").endswith("/vi/compare/334-503.html"))
            self.assertEqual(b.run("document.documentElement.lang"), "vi")

    def test_light_and_dark(self):
        ground = "getComputedStyle(document.body).backgroundColor"
        with Browser(dark=False) as light, Browser(dark=True) as dark:
            for b in (light, dark):
                b.open(self.url("en/codes/334.html"))
            day, night = light.run(ground), dark.run(ground)
            self.assertNotEqual(day, night)
            light.run("document.getElementById('theme').click()")
            dark.run("document.getElementById('theme').click()")
            self.assertEqual((light.run(ground), dark.run(ground)), (night, day))

    def test_nothing_sticks_out_on_a_phone(self):
        with Browser(width=360, height=800, phone=True) as b:
            for lang in ("en", "vi"):
                for page in ("index", "states", "codes/503", "compare/334-503", "mechanisms/scram-sha-256",
                             "providers/google", "enhanced/x.7.26", "reasons/data-before-rcpt"):
                    b.open(self.url(f"{lang}/{page}.html"))
                    self.assertLessEqual(b.run("document.documentElement.scrollWidth"), 360, page)
                    self.assertEqual(b.faults(), [])

    def test_contrast(self):
        """Text against what is behind it, as WCAG counts it: 4.5 at least."""
        measure = """(() => {
            const parts = c => c.match(/[\\d.]+/g).slice(0, 3).map(Number);
            const light = c => { const [r, g, b] = parts(c).map(v => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; });
                                 return .2126 * r + .7152 * g + .0722 * b; };
            const ground = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
                                  if (!/, 0\\)$|transparent/.test(c)) return c; } return 'rgb(255, 255, 255)'; };
            let worst = 21;
            for (const e of document.querySelectorAll('body *')) {
                if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || e.closest('.hidden, .skip, svg, noscript')) continue;
                const a = light(getComputedStyle(e).color), b = light(ground(e));
                worst = Math.min(worst, (Math.max(a, b) + .05) / (Math.min(a, b) + .05));
            }
            return worst; })()"""
        for dark in (False, True):
            with Browser(dark=dark) as b:
                for page in ("index", "compare/334-503", "providers/yahoo"):
                    b.open(self.url(f"en/{page}.html"))
                    self.assertGreaterEqual(b.run(measure), 4.5, page)

    def test_without_scripts(self):
        with Browser(scripts=False) as b:
            b.open(self.url("en/index.html"))
            shot = self.root / "shot.png"
            b.picture(shot)
            self.assertGreater(shot.stat().st_size, 10000)
            shot.unlink()


class Manual(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="sallyport-man-")
        cls.addClassCleanup(folder.cleanup)
        cls.root = pathlib.Path(folder.name)
        sallyport("reference", "--man", str(cls.root))
        cls.pages = sorted(path for path in cls.root.rglob("*") if path.is_file())

    def test_the_pages(self):
        self.assertEqual([str(path.relative_to(self.root)) for path in self.pages],
                         ["man1/sallyport.1", "man7/sallyport-replies.7", "vi/man7/sallyport-replies.7"])

    def test_every_command_and_option(self):
        page = self.pages[0].read_text(encoding="utf-8")
        for command in ("serve", "send", "explain", "compare", "diagnose", "reference"):
            self.assertIn(f"\n.SS {command}\n", page)
        self.assertIn("\\fB\\-\\-html\\fR \\fIDIR\\fR", page)
        self.assertNotIn(".SS role", page)

    def test_every_code(self):
        for path in self.pages[1:]:
            page = path.read_text(encoding="utf-8")
            for code in (200, 334, 503, 571):
                self.assertIn(f'\n.SS "{code}"\n', page)

    def test_man_has_nothing_to_complain_of(self):
        man = program("man")
        for path in self.pages:
            run = subprocess.run([man, "--warnings", "-l", str(path)], capture_output=True, text=True, timeout=120,
                                 env=dict(os.environ, LC_ALL="C.UTF-8", MANPAGER="cat", PAGER="cat"))
            self.assertEqual((run.returncode, run.stderr), (0, ""), path)
            self.assertIn("SALLYPORT", run.stdout)

    def test_mandoc_has_nothing_to_complain_of(self):
        mandoc, env = peer("mandoc", "usr/bin/mandoc")
        for path in self.pages:
            run = subprocess.run([mandoc, "-Tlint", "-Wwarning", str(path)], env=env, capture_output=True, text=True,
                                 timeout=120)
            self.assertEqual(run.stdout + run.stderr, "", path)


if __name__ == "__main__":
    unittest.main()
