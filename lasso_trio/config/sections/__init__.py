"""The sections of a profile, one module each: fields in, values of `config.profile` out, mistakes to the report."""
