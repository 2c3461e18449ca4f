"""Nuclei of Li metal and the pores they leave: where, when, how large."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.recording import FloatArray
from napari_lithium_alloy.core.stages import Stage, StageKind
from napari_lithium_alloy.core.synthetic.fields import ease, stream
from napari_lithium_alloy.core.synthetic.parameters import SyntheticParameters

_EDGE_UM = 0.7
_DEAD_SHARE = 0.7
_TRIES = 5000
_AREA_LIMITS_UM2 = (0.05, 0.4)


@dataclass(frozen=True, kw_only=True)
class Site:
    """One nucleus; lengths in pixels, times in seconds."""

    cycle: int
    y: float
    x: float
    onset_s: float
    grown_s: float
    dissolves_s: float
    gone_s: float
    radius: float
    dead: bool
    leaves_pore: bool

    def radius_at(self, time_s: float) -> float:
        """Radius of its disc; the area grows and shrinks linearly."""
        if time_s <= self.onset_s:
            return 0.0
        grown = min((time_s - self.onset_s) / (self.grown_s - self.onset_s), 1.0)
        left = 1.0
        if time_s > self.dissolves_s:
            left = 1 - min((time_s - self.dissolves_s) / (self.gone_s - self.dissolves_s), 1.0)
        if self.dead and time_s > self.dissolves_s:
            left = max(left, _DEAD_SHARE**2)
        return self.radius * float(np.sqrt(grown * left))


@dataclass(frozen=True, kw_only=True)
class Hole:
    """One disc-shaped hole of the film before any merging; pixels and seconds.

    Attributes
    ----------
    y, x : float
    cycle : int
        Cycle in which it opened, 0 for a pinhole.
    from_site : bool
    growths : tuple of (float, float, float)
        Start, end and added area (px2) of each time it grew.
    """

    y: float
    x: float
    cycle: int
    from_site: bool
    growths: tuple[tuple[float, float, float], ...]

    def area_at(self, time_s: float) -> float:
        """Area in px2."""
        return float(
            sum(da * ease(np.asarray((time_s - t0) / (t1 - t0))) for t0, t1, da in self.growths)
        )

    def radius_at(self, time_s: float) -> float:
        """Radius in pixels."""
        return float(np.sqrt(self.area_at(time_s) / np.pi))


def discs_at(discs: Sequence[Site | Hole], time_s: float) -> FloatArray:
    """(N, 3) row, column and radius of those that are there at a time."""
    found = [(d.y, d.x, d.radius_at(time_s)) for d in discs]
    return np.array([f for f in found if f[2] > 0], dtype=float).reshape(-1, 3)


def plant(
    parameters: SyntheticParameters, stages: Sequence[Stage], ranks: dict[int, FloatArray]
) -> tuple[tuple[Site, ...], tuple[Hole, ...]]:
    """Sites and holes of all cycles.

    Parameters
    ----------
    parameters : SyntheticParameters
    stages : sequence of Stage
    ranks : dict
        By cycle, the (Y, X) order in which its first heterogeneous step alloyed the field, 0..1.
    """
    ground = _Ground(parameters, ranks)
    holes = ground.pinholes()
    sites: list[Site] = []
    for cycle in range(1, parameters.cycles + 1):
        own = {s.kind: s for s in stages if s.cycle == cycle}
        last_s = max(s.end_s for s in stages if s.cycle == cycle)
        dissolution = own[StageKind.DISSOLUTION]
        window = (dissolution.start_s + 0.75 * (dissolution.end_s - dissolution.start_s), last_s)
        opens = parameters.pores.new_each_cycle or cycle == 1
        grown = [_grow(h, parameters, window) for h in holes]
        taken = [(h.y, h.x) for h in holes] + [(s.y, s.x) for s in sites if s.dead]
        new = ground.sites(cycle, own[StageKind.DEPOSITION], dissolution, taken, opens)
        if opens:
            grown += ground.site_holes(new, window)
            grown += ground.lone_holes(cycle, new, holes, window)
        if cycle == 1:
            grown += ground.neighbours(grown, window)
        sites += new
        holes = grown
    return tuple(sites), tuple(holes)


def _grow(hole: Hole, parameters: SyntheticParameters, window: tuple[float, float]) -> Hole:
    factor = parameters.pores.growth_per_cycle
    if factor <= 1 or hole.cycle == 0:
        return hole
    area = sum(da for _, _, da in hole.growths)
    return Hole(
        y=hole.y,
        x=hole.x,
        cycle=hole.cycle,
        from_site=hole.from_site,
        growths=(*hole.growths, (*window, (factor - 1) * area)),
    )


class _Ground:
    """Places things on the film without collisions; a random stream for each kind and cycle."""

    def __init__(self, parameters: SyntheticParameters, ranks: dict[int, FloatArray]) -> None:
        self.p = parameters
        self.ranks = ranks
        self.pixel = parameters.camera.pixel_size_um
        rows, columns = parameters.camera.shape
        edge = _EDGE_UM / self.pixel
        self.low = np.array([edge, edge])
        glass = parameters.onset.bare_glass_um / self.pixel
        self.high = np.array([rows - 1 - edge, columns - 1 - edge - glass])

    def place(
        self,
        rng: np.random.Generator,
        count: int,
        taken: list[tuple[float, float]],
        rank: FloatArray | None = None,
    ) -> list[tuple[float, float]]:
        """Random places apart from each other and from those taken; not at the extremes of rank."""
        spacing = self.p.sites.spacing_um / self.pixel
        avoided = self.p.sites.avoid_extremes
        placed: list[tuple[float, float]] = []
        for _ in range(_TRIES + 100 * count):
            if len(placed) == count:
                return placed
            y, x = rng.uniform(self.low, self.high)
            near = any(np.hypot(y - b, x - a) < spacing for b, a in taken + placed)
            extreme = rank is not None and not avoided <= rank[round(y), round(x)] <= 1 - avoided
            if not (near or extreme):
                placed.append((float(y), float(x)))
        if len(placed) == count:
            return placed
        raise AlloyError(
            f"{count} sites or pores {self.p.sites.spacing_um:g} um apart do not fit the field; "
            "plant fewer, or make shape larger."
        )

    def pinholes(self) -> list[Hole]:
        """Holes of the pristine film."""
        area = self.p.pores.pinhole_area_um2 / self.pixel**2
        places = self.place(stream(self.p.seed, "pinholes"), self.p.pores.pinholes, [])
        return [
            Hole(y=y, x=x, cycle=0, from_site=False, growths=((-2.0, -1.0, area),))
            for y, x in places
        ]

    def sites(
        self,
        cycle: int,
        deposition: Stage,
        dissolution: Stage,
        taken: list[tuple[float, float]],
        opens: bool,
    ) -> list[Site]:
        """A cycle's nuclei, away from the places taken."""
        planted = self.p.sites
        rng = stream(self.p.seed, "sites", cycle)
        places = self.place(rng, planted.count, taken, self.ranks[cycle])
        length = deposition.end_s - deposition.start_s
        lasts = dissolution.end_s - dissolution.start_s
        sites = []
        for y, x in places:
            onset, gone, dead, pore = rng.random(4)
            size = np.exp(planted.radius_sigma * rng.standard_normal())
            is_dead = bool(dead < planted.dead_fraction)
            sites.append(
                Site(
                    cycle=cycle,
                    y=y,
                    x=x,
                    onset_s=deposition.start_s + 1 + planted.onset_spread * length * onset,
                    grown_s=deposition.end_s,
                    dissolves_s=dissolution.start_s,
                    gone_s=dissolution.start_s + lasts * (0.8 + 0.2 * gone),
                    radius=planted.radius_um / self.pixel * float(size),
                    dead=is_dead,
                    leaves_pore=opens and not is_dead and bool(pore < planted.pore_fraction),
                )
            )
        return sites

    def site_holes(self, sites: list[Site], window: tuple[float, float]) -> list[Hole]:
        """The holes sites leave, opening at their centres as the last lithium goes."""
        rng = stream(self.p.seed, "site holes", sites[0].cycle if sites else 0)
        areas = self.areas(rng, len(sites))
        share = rng.uniform(0.75, 0.95, len(sites))
        opens_s = [
            s.dissolves_s + b * (s.gone_s - s.dissolves_s)
            for s, b in zip(sites, share, strict=True)
        ]
        return [
            self.hole(s.y, s.x, s.cycle, a, (opening, window[1]), from_site=True)
            for s, a, opening in zip(sites, areas, opens_s, strict=True)
            if s.leaves_pore
        ]

    def lone_holes(
        self, cycle: int, sites: list[Site], holes: list[Hole], window: tuple[float, float]
    ) -> list[Hole]:
        """Holes that open where no site was."""
        rng = stream(self.p.seed, "lone holes", cycle)
        count = self.p.pores.without_site
        taken = [(s.y, s.x) for s in sites] + [(h.y, h.x) for h in holes]
        places = self.place(rng, count, taken)
        areas, windows = self.areas(rng, count), self.windows(rng, count, window)
        return [
            self.hole(y, x, cycle, a, w, from_site=False)
            for (y, x), a, w in zip(places, areas, windows, strict=True)
        ]

    def neighbours(self, holes: list[Hole], window: tuple[float, float]) -> list[Hole]:
        """A partner for some holes, just out of reach until both have grown once more."""
        rng = stream(self.p.seed, "neighbours")
        opened = [h for h in holes if h.cycle == 1]
        opened.sort(key=lambda h: h.area_at(np.inf), reverse=True)
        opened = opened[: self.p.pores.merging_pairs]
        median = self.p.pores.area_um2 / self.pixel**2
        areas = np.maximum(self.areas(rng, len(opened)), median)
        windows = self.windows(rng, len(opened), window)
        partners: list[Hole] = []
        for hole, area, own in zip(opened, areas, windows, strict=True):
            others = [h for h in (*holes, *partners) if h is not hole]
            reach = 1 + rng.uniform(0.5, 0.65) * (np.sqrt(self.p.pores.growth_per_cycle) - 1)
            distance = reach * (hole.radius_at(np.inf) + np.sqrt(area / np.pi))
            y, x = self._most_free(hole, distance, others)
            partners.append(self.hole(y, x, 1, area, own, from_site=False))
        return partners

    def _most_free(self, hole: Hole, distance: float, others: list[Hole]) -> tuple[float, float]:
        """The place at a distance from a hole that is farthest from the others and the edges."""
        angles = np.linspace(0, 2 * np.pi, 32, endpoint=False)
        places = np.stack(
            [hole.y + distance * np.sin(angles), hole.x + distance * np.cos(angles)], axis=1
        )
        free = np.minimum(places - self.low, self.high - places).min(axis=1)
        for other in others:
            free = np.minimum(free, np.hypot(*(places - (other.y, other.x)).T))
        y, x = places[np.argmax(free)]
        return float(y), float(x)

    def areas(self, rng: np.random.Generator, count: int) -> FloatArray:
        """Log-normal final areas, px2."""
        spread = np.exp(self.p.pores.area_sigma * rng.standard_normal(count))
        return np.clip(self.p.pores.area_um2 * spread, *_AREA_LIMITS_UM2) / self.pixel**2

    @staticmethod
    def windows(
        rng: np.random.Generator, count: int, window: tuple[float, float]
    ) -> list[tuple[float, float]]:
        """From a random time in the first half of a window to its end."""
        start, end = window
        return [(start + 0.5 * r * (end - start), end) for r in rng.random(count)]

    @staticmethod
    def hole(
        y: float,
        x: float,
        cycle: int,
        area: float,
        window: tuple[float, float],
        *,
        from_site: bool,
    ) -> Hole:
        """A hole that opens when a window does and is full grown at nine tenths of it."""
        start, end = window
        growth = (start, end - 0.1 * (end - start), float(area))
        return Hole(y=float(y), x=float(x), cycle=cycle, from_site=from_site, growths=(growth,))
