"""Features of `everyday` that look alike and are not the same: each line was read and kept; test_everyday.py uses it.

A new pair that a test finds belongs here only if the two really say different things; else the data is to be corrected.
"""

ONE_LETTER = """
a_boat a_coat
a_pest a_pet
beats bleats
clicks clucks
comes_in_bags comes_in_bars
coos moos
creaks croaks
eaten_by_donkeys eaten_by_monkeys
flows glows
found_in_the_head found_on_the_head
glows grows
growls grows
grows_in_pods grows_in_pots
has_a_beak has_a_beam
has_a_beak has_a_peak
has_a_cab has_a_cap
has_a_clock has_a_lock
has_a_cord has_a_core
has_a_cord has_a_cork
has_a_core has_a_cork
has_a_deck has_a_neck
has_a_flame has_a_frame
has_a_hatch has_a_latch
has_a_heel has_a_peel
has_a_heel has_a_reel
has_a_hood has_a_hook
has_a_nail has_a_rail
has_a_nail has_a_tail
has_a_peel has_a_reel
has_a_rail has_a_tail
has_a_reed has_a_reel
has_a_snout has_a_spout
has_bark has_bars
has_bars has_oars
has_bones has_cones
has_cables has_tables
has_holes has_poles
has_horns has_thorns
has_lines has_links
has_pedals has_petals
has_pegs has_pews
has_sales has_scales
has_slats has_slots
has_slots has_spots
has_spikes has_spines
has_spikes has_spokes
has_spokes has_spores
has_springs has_strings
has_steps has_stops
hops pops
is_cold is_old
is_cured is_curved
is_fast is_fat
is_fat is_flat
is_funny is_runny
is_kicked is_licked
is_light is_tight
kept_in_a_cage kept_in_a_case
kicks ticks
made_of_milk made_of_silk
made_of_wood made_of_wool
produces_milk produces_silk
rings sings
roars soars
sings stings
spins spits
used_by_sailors used_by_tailors
used_for_kicking used_for_licking
used_for_making_soap used_for_making_soup
used_for_painting used_for_pointing
used_for_planning used_for_planting
used_for_playing used_for_praying
used_for_seeing used_for_sewing
used_for_sleeping used_for_sweeping
used_for_talking used_for_walking
"""
"""Pairs that one edit (insertion, deletion, exchange of a letter) tells apart."""

ONE_STEM = """
a_bag has_a_bag
a_bed has_beds
a_book has_books
a_computer has_computers
a_door has_a_door
a_drink used_for_drinking
a_fish used_for_fishing
a_flower flows has_flowers
a_joint has_joints
a_machine has_machines
a_muscle has_muscles
a_piece_of_cloth a_piece_of_clothing
a_plant has_plants used_for_planting
a_rock is_rocky
a_tower has_towers
a_tree has_trees
a_weed used_for_weeding
barks has_bark
can_be_curly is_cured
can_be_erased has_an_eraser
freezes has_a_freezer
has_a_hand has_hands
has_a_lever used_as_a_lever
has_a_line has_a_lining has_lines
has_a_peel is_peeled
has_a_point used_for_pointing
has_a_rail has_a_railing
has_a_scale has_scales
has_a_spine has_spines spins
has_a_stand used_for_standing
has_a_string has_strings
has_a_till has_tiles
has_bones is_bony
has_drawers used_for_drawing
has_hair is_hairy
has_runners is_runny used_for_running
has_sails used_for_sailing
has_teachers used_for_teaching
has_waves used_for_waving
has_workers used_for_working
hunts used_for_hunting
is_cute used_for_cutting
is_fun is_funny
is_green is_grey
is_kicked kicks used_for_kicking
is_licked used_for_licking
is_painted used_for_painting
is_recycled used_for_recycling
is_shaved used_for_shaving
is_squeezed used_for_squeezing
serves_food used_for_serving_food
stores_water used_for_storing_water
swims used_for_swimming
talks used_for_talking
"""
"""Features with the same content words but for endings: a part beside a class (`has_a_door`, `a_door`), an act beside a
use (`hunts`, `used_for_hunting`), a surface beside a part (`is_hairy`, `has_hair`), or words that only look related."""


def pairs(listed: str) -> set[frozenset[str]]:
    """The lines of a list, as sets of features."""
    return {frozenset(line.split()) for line in listed.strip().splitlines()}
