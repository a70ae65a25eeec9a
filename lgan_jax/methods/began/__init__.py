"""Made faces that come with their landmarks: BEGAN, its inverse, a landmark generator (Bazrafkan et al.)."""
