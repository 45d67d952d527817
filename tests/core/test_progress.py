"""Bars keep quiet for short work and leave one line where no terminal is."""

import hyperir.core.progress as progress


def test_short_work_is_silent(capsys):
    assert list(progress.track(range(5), "Counting", total=5)) == [0, 1, 2, 3, 4]
    assert capsys.readouterr() == ("", "")


def test_long_work_without_a_terminal_leaves_one_line(capsys, monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE", -1.0)
    with progress.Progress("Encoding", total=7, unit="passages") as bar:
        bar.advance(7)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Encoding: 7 passages in ")
    assert err.count("\n") == 1


def test_hidden_says_nothing(capsys, monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE", -1.0)
    with progress.Progress("Encoding", show=False) as bar:
        bar.advance()
    assert capsys.readouterr().err == ""


def test_a_bar_on_a_terminal_shows_count_rate_and_time_left(capsys, monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE", -1.0)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with progress.Progress("Encoding", total=100, unit="passages") as bar:
        bar.advance(40)
        bar.advance(60)
    err = capsys.readouterr().err
    assert "Encoding" in err
    assert "100/100" in err
    assert "passages/s" in err
