"""The six pieces of the demo catalogue, composed for this project and given under CC BY 4.0.

Each function writes one score. Pitches are MIDI numbers: 60 is middle C.
"""

from store.demo import instruments as play
from store.demo.score import Score

Chord = tuple[int, ...]


def paper_lanterns() -> Score:
    """A waltz in D: guitar arpeggios over a falling bass, a flute that answers itself a third higher."""
    score = Score(tempo=126, room_seconds=1.6)
    bars: list[tuple[int, Chord]] = [
        (38, (62, 66, 69)), (37, (61, 64, 69)), (35, (59, 62, 66)), (33, (57, 61, 66)),
        (31, (59, 62, 67)), (30, (57, 62, 66)), (28, (59, 64, 67)), (33, (57, 61, 64)),
    ]  # fmt: skip
    theme = [(0, 74, 2), (2, 76, 1), (3, 78, 2), (5, 76, 1), (6, 74, 1.5), (7.5, 73, 0.5), (8, 71, 1), (9, 69, 3)]
    answer = [
        (12, 71, 2),
        (14, 74, 1),
        (15, 78, 1.5),
        (16.5, 76, 0.5),
        (17, 74, 1),
        (18, 76, 3),
        (21, 73, 1),
        (22, 69, 2),
    ]
    for verse in range(6):
        for bar, (root, chord) in enumerate(bars):
            at = verse * 24 + bar * 3.0
            low, middle, high = chord
            swing = [(0, low), (0.5, middle), (1, high), (1.5, middle + 12), (2, high), (2.5, middle)]
            score.play(play.pluck, [(at + step, pitch, 2.5) for step, pitch in swing], loud=0.55, pan=-0.25)
            score.play(play.bass, [(at, root, 2.6)], loud=0.5)
            if verse > 1:
                score.play(play.brush, [(at + 1, 0, 0.4), (at + 2, 0, 0.4)], loud=0.5, pan=0.35)
        lift = 3 if verse in {3, 4} else 0
        if verse in {1, 2, 3, 4}:
            melody = theme + (answer if verse % 2 else [(at + 12, pitch, long) for at, pitch, long in theme])
            instrument = play.flute if verse != 2 else play.bell  # noqa: PLR2004 - the third verse rings
            score.play(instrument, [(verse * 24 + at, pitch, long) for at, pitch, long in melody], loud=0.6, pan=0.2)
            if lift:
                harmony = [(verse * 24 + at, pitch - 5, long) for at, pitch, long in melody]
                score.play(play.flute, harmony, loud=0.3, pan=-0.3)
    score.play(play.pluck, [(144, 50, 6), (144.2, 57, 6), (144.4, 62, 6), (144.6, 66, 6), (144.9, 74, 6)], loud=0.6)
    return score


def ferry_across() -> Score:
    """Evening chords in A flat for electric piano, with a line that climbs one step further each time round."""
    score = Score(tempo=82, room_seconds=2.2, room_share=0.26)
    progression: list[tuple[int, Chord]] = [
        (44, (60, 63, 67, 70)), (41, (60, 63, 68, 72)), (37, (61, 65, 68, 72)), (39, (58, 61, 65, 70)),
    ]  # fmt: skip
    climbs = [(72, 70, 67), (72, 75, 70), (77, 75, 72), (79, 77, 75), (80, 79, 75), (77, 75, 72)]
    for turn in range(6):
        for bar, (root, chord) in enumerate(progression):
            at = turn * 16 + bar * 4.0
            score.play(
                play.electric_piano,
                [(at + 0.06 * i, pitch, 2.2) for i, pitch in enumerate(chord)],
                loud=0.42,
                pan=-0.15,
            )
            stab = [(at + 2.5, pitch, 1.2) for pitch in chord[1:]]
            score.play(play.electric_piano, stab, loud=0.3, pan=0.2)
            score.play(play.bass, [(at, root, 1.6), (at + 2.5, root, 0.8), (at + 3.5, root + 7, 0.4)], loud=0.55)
            if turn >= 1:
                score.play(play.heartbeat, [(at, 0, 0.5), (at + 2.5, 0, 0.4)], loud=0.55)
                score.play(play.brush, [(at + 1, 0, 0.3), (at + 3, 0, 0.3), (at + 3.66, 0, 0.2)], loud=0.7, pan=0.3)
        if turn >= 1:
            high, middle, low = climbs[turn]
            line = [
                (0.5, low, 1), (1.5, middle, 1), (2.5, high, 3), (6, middle, 0.66), (6.66, low, 1.2),
                (8.5, low, 0.5), (9, middle, 0.5), (9.5, high, 2.2), (12, middle, 1), (13, low, 2.4),
            ]  # fmt: skip
            score.play(play.flute if turn in {3, 4} else play.electric_piano,
                       [(turn * 16 + at, pitch, long) for at, pitch, long in line], loud=0.5, pan=0.1)  # fmt: skip
    score.play(
        play.electric_piano,
        [(96 + 0.1 * i, pitch, 6) for i, pitch in enumerate((44, 56, 60, 63, 67, 70, 75))],
        loud=0.45,
    )
    return score


def slow_weather() -> Score:
    """Clouds over E: bowed chords that overlap, bells that fall where the chords change."""
    score = Score(tempo=54, room_seconds=4.5, room_share=0.42)
    sky: list[Chord] = [
        (40, 52, 59, 64, 66), (37, 49, 56, 61, 64), (45, 52, 57, 64, 68), (42, 54, 57, 61, 66),
        (40, 56, 59, 63, 68), (45, 57, 61, 64, 71), (47, 54, 59, 63, 66), (40, 52, 59, 64, 71),
    ]  # fmt: skip
    drops = [(0.5, 83), (2, 88), (3.5, 80), (5.5, 87), (6.5, 76)]
    for step, chord in enumerate(sky):
        at = step * 8.0
        score.play(play.pad, [(at, pitch, 9.5) for pitch in chord[:3]], loud=0.75, pan=-0.3)
        score.play(play.pad, [(at + 0.7, pitch, 8.6) for pitch in chord[3:]], loud=0.7, pan=0.35)
        count = min(5, 1 + step)
        score.play(play.bell, [(at + when, pitch + (chord[0] % 12) - 4, 4) for when, pitch in drops[:count]],
                   loud=0.34, pan=0.5 if step % 2 else -0.5)  # fmt: skip
        if step in {3, 4, 5, 6}:
            score.play(play.flute, [(at + 1, chord[4] + 12, 2.5), (at + 4, chord[3] + 12, 3.2)], loud=0.24)
    return score


def brass_clock() -> Score:
    """Two marimbas on one pattern of twelve; the right hand gains a note each four bars until they meet again."""
    score = Score(tempo=168, room_seconds=1.1, room_share=0.16)
    pattern = (64, 66, 71, 73, 74, 66, 64, 73, 71, 66, 74, 73)
    colours = [0, 0, 5, 5, -2, -2, 0, 3, 3, 5, 0, 0, 0]
    for shift in range(13):
        colour = colours[shift]
        for repeat in range(2):
            at = (shift * 2 + repeat) * 6.0
            left = [(at + i / 2, pitch + colour, 0.5) for i, pitch in enumerate(pattern)]
            right = [(at + i / 2, pattern[(i + shift) % 12] + colour, 0.5) for i in range(12)]
            score.play(play.marimba, left, loud=0.62, pan=-0.65)
            score.play(play.marimba, right, loud=0.62, pan=0.65)
            if shift >= 2:  # noqa: PLR2004 - the third colour brings the bass
                score.play(play.bass, [(at, 40 + colour, 1.4), (at + 3, 47 + colour, 1.2)], loud=0.42)
            if shift >= 4:  # noqa: PLR2004
                score.play(play.heartbeat, [(at, 0, 0.4), (at + 1.5, 0, 0.3), (at + 3, 0, 0.4)], loud=0.4)
                score.play(play.brush, [(at + i + 0.5, 0, 0.2) for i in range(6)], loud=0.45, pan=-0.2)
        if shift in {5, 6, 9, 10, 11}:
            score.play(play.pad, [(shift * 12.0, pitch + colour, 11) for pitch in (52, 59, 64, 66)], loud=0.4)
            score.play(play.bell, [(shift * 12.0, 83 + colour, 5), (shift * 12.0 + 6, 78 + colour, 5)], loud=0.3)
    score.play(play.marimba, [(156, 52, 2), (156, 64, 2), (156, 71, 2)], loud=0.7)
    return score


def nine_windows() -> Score:
    """Nine short chords of one guitar, each looked through twice."""
    score = Score(tempo=72, room_seconds=2.6, room_share=0.3)
    windows: list[Chord] = [
        (45, 52, 60, 64, 71), (41, 53, 57, 60, 67), (48, 55, 60, 64, 71), (43, 50, 59, 62, 69),
        (40, 52, 59, 62, 67), (45, 52, 57, 60, 64), (38, 50, 57, 65, 69), (43, 53, 59, 62, 67), (45, 52, 57, 64, 72),
    ]  # fmt: skip
    for index, chord in enumerate(windows):
        at = index * 5.0
        score.play(play.pluck, [(at + 0.33 * i, pitch, 4) for i, pitch in enumerate(chord)], loud=0.6, pan=-0.2)
        score.play(
            play.pluck, [(at + 2.5 + 0.25 * i, pitch, 3) for i, pitch in enumerate(reversed(chord))], loud=0.45, pan=0.3
        )
    return score


def unsigned_letter() -> Score:
    """A short song for electric piano and bass, in one breath."""
    score = Score(tempo=96, room_seconds=1.8)
    progression: list[tuple[int, Chord]] = [
        (43, (58, 62, 65)),
        (39, (58, 63, 67)),
        (46, (58, 62, 65)),
        (41, (57, 60, 65)),
    ]
    melody = [(0, 70, 1.5), (1.5, 72, 0.5), (2, 74, 2), (4, 75, 1.5), (5.5, 74, 0.5), (6, 70, 2),
              (8, 74, 1), (9, 77, 1), (10, 74, 2), (12, 72, 3)]  # fmt: skip
    for turn in range(4):
        for bar, (root, chord) in enumerate(progression):
            at = turn * 16 + bar * 4.0
            score.play(
                play.electric_piano, [(at + beat, pitch, 0.9) for beat in (0, 1, 2, 3) for pitch in chord], loud=0.3
            )
            score.play(play.bass, [(at, root, 1.8), (at + 2, root + 7, 1.6)], loud=0.5)
        if turn:
            voice = play.flute if turn == 2 else play.bell  # noqa: PLR2004 - the third time it is sung
            score.play(voice, [(turn * 16 + at, pitch, long) for at, pitch, long in melody], loud=0.5, pan=0.15)
    return score
