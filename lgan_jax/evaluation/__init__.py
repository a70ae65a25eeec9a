"""What a trained model is worth: figures against baselines, and a page with pictures, for each method."""
