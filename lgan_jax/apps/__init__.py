"""What a person does with a trained run, from the command line or in the browser."""
